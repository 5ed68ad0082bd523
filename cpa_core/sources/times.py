"""A time as files write it, in the forms of databases, spreadsheets, mail, JavaScript and Java; else a ValueError.

Sources: ISO 8601 as `datetime.fromisoformat` reads it. RFC 2822 section 3.3 and its obsolete zones. Snowflake's
TIMESTAMP_OUTPUT_FORMAT `YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM`. ECMAScript's Date.prototype.toString. Java's
ZonedDateTime.toString and Date.toString. Trino and Athena write a region behind the time. Oracle's NLS_TIMESTAMP_FORMAT
`DD-MON-RR HH.MI.SSXFF AM`. Kibana's `MMM D, YYYY @ HH:mm:ss.SSS`. ClickHouse, BigQuery and
PostHog write microseconds since 1970.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Order = Literal["dmy", "mdy"]
"""Which comes first in `03/02/2026`: the day, or the month as in the United States."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SERIAL = datetime(1899, 12, 30)
CENTURY = (36_526, 73_051)
"""The days of spreadsheets from 1 January 2000 to 2099."""
WRONG = "timestamp: not a time in a form that is known, as in 2026-03-02T09:00:00Z"
MICROSECONDS = {**dict.fromkeys(range(9, 12), 1_000_000), 12: 1_000, 13: 1_000, 16: 1}
"""How many a unit has, by the digits of a number since 1970: seconds, milliseconds, microseconds; 19 are nanoseconds.

A number has nine digits or more (1973), so that a year or an offset never passes for a time.
"""

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
ZONES = {"z": 0, "ut": 0, "utc": 0, "gmt": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6}
ZONES |= {"pst": -8, "pdt": -7}

_COMPACT = re.compile(r"\d{14}")
_EPOCH = re.compile(r"(\d{9,19})(?:\.(\d+))?")
_SERIAL = re.compile(r"\d{5}(?:[.,]\d+)?")
_POWER = re.compile(r"(\d)(?:[.,](\d+))?[eE](\+?)(\d{1,2})")
_DATED = re.compile(r"\d[-/.]\d+[-/.]\d")
_FRACTION = re.compile(r"0?[.,]\d+|0")
_MIDNIGHT = re.compile(r"[T ]00:00(?::00(?:\.0+)?)?$")
_CLOCK = r"(?P<h>\d{1,2}):(?P<m>\d\d)(?::(?P<s>\d\d)(?:[.,](?P<f>\d+))?)?(?:\s?(?P<half>[ap])\.?m\.?)?"
_ZONE = r"(?:\s(?P<region>[a-z]+/[\w/+-]+)|\s?(?P<zone>[a-z]{1,4})?(?P<offset>[+-]\d\d:?\d\d)?"
_ZONE += r"(?:\s?\([^)]*\)|\[(?P<place>[\w/+-]+)\])?)"
_TIME = rf"(?:(?:,?\s|t|,?\sat\s|\s@\s){_CLOCK}{_ZONE})?"
_DOTTED = r"\s(?P<h>\d{1,2})\.(?P<m>\d\d)\.(?P<s>\d\d)(?:[.,](?P<f>\d+))?(?:\s(?P<half>[ap])\.?m\.?)?"
_DOTTED += r"(?:\s(?P<region>[a-z]+/[\w/+-]+)|\s?(?P<offset>[+-]\d\d:?\d\d)|\s(?P<zone>[a-z]{1,4}))?"
_WEEKDAY = r"(?:[a-z]{3,9},?\s)?"
_NAME = r"(?P<name>[a-z]{3,9})\.?"
_FORMS = [
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"(?P<y>\d{{4}})[-/](?P<mo>\d{{1,2}})[-/](?P<d>\d{{1,2}}){_TIME}",
        rf"{_WEEKDAY}(?P<d>\d{{1,2}})(?:\s|-){_NAME}(?:\s|-)(?P<y>\d{{4}}|\d\d),?{_TIME}",
        rf"{_WEEKDAY}{_NAME}\s(?P<d>\d{{1,2}}),?\s(?P<y>\d{{4}}){_TIME}",
        rf"{_WEEKDAY}{_NAME}\s+(?P<d>\d{{1,2}})\s{_CLOCK}(?:\s(?P<zone>[a-z]{{1,4}}))?\s(?P<y>\d{{4}})",
        rf"(?P<d>\d{{1,2}})\.(?P<mo>\d{{1,2}})\.(?P<y>\d{{4}}){_TIME}",
        rf"(?P<d>\d{{1,2}})-{_NAME}-(?P<y>\d\d){_DOTTED}",
    )
]
_EITHER = re.compile(rf"(?P<one>\d{{1,2}})[/-](?P<two>\d{{1,2}})[/-](?P<y>\d{{4}}|\d\d){_TIME}", re.IGNORECASE)
_JAVA = re.compile(r"(.+?)\[([\w/+-]+)\]")


@dataclass
class Orders:
    """The evidence in a file for the order of day and month. `undecided` is the first time that could be either.

    `serial`: it is a table, in which a number of five digits is a time as spreadsheets count it.
    """

    named: Order | None = None
    dmy: int = 0
    mdy: int = 0
    undecided: str | None = None
    serial: bool = False

    @property
    def decided(self) -> Order | None:
        """The order that every time with a day after the twelfth has; None where there is none, or they differ."""
        return "dmy" if self.dmy and not self.mdy else "mdy" if self.mdy and not self.dmy else None


_ORDERS: ContextVar[Orders] = ContextVar("orders")


@contextmanager
def ordered(named: Order | None, *, serial: bool = False) -> Iterator[Orders]:
    """While it lasts, times such as 03/02/2026 are read in this order; without one, what they tell is gathered.

    `serial`: the days of spreadsheets are times as well.
    """
    orders = Orders(named, serial=serial)
    token = _ORDERS.set(orders)
    try:
        yield orders
    finally:
        _ORDERS.reset(token)


def moment(value: Any, zone: tzinfo = UTC) -> tuple[datetime | None, bool]:
    """An aware time, UTC, and whether it is written without a zone and taken as one of `zone`; blank is None.

    Raises ValueError for what is no time, or one whose day and month cannot be told apart.
    """
    value = _unwrapped(value) if isinstance(value, dict) else value
    if value is None:
        return None, False
    if type(value) is str and value[4:5] == "-" and (usual := _usual(value)) is not None:
        return usual, False
    if type(value) in (float, int) and (at := _of_number(value)) is not None:
        return at, False
    text = f"{value:f}" if isinstance(value, float) else str(value).strip()
    if not text:
        return None, False
    try:
        if isinstance(value, bool | list | dict):
            raise ValueError(WRONG)
        text = _of_power(text) if _POWER.fullmatch(text) else text
        if (number := _EPOCH.fullmatch(text)) and not _COMPACT.fullmatch(text):
            return _since_1970(*number.groups("")), False
        at = _of_serial(text)
        if at is None and isinstance(value, int | float):
            raise ValueError(WRONG)
        at = at or _written(text)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC), at.tzinfo is None
    except (OverflowError, OSError):
        raise ValueError(WRONG) from None


def _usual(text: str) -> datetime | None:
    """A time of UTC in ISO 8601, as most are written; None for any other."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is UTC else None


FIRESTORE = (("_seconds", "_nanoseconds"), ("seconds", "nanoseconds"), ("seconds", "nanos"))
"""Keys of a time that is an object."""


def _unwrapped(value: Any) -> Any:
    """A time of mongoexport's, `{"$date": ...}`, also around `{"$numberLong": ...}`, as what it says.

    So Firestore's, and protobuf's as an object: `{"_seconds": 1772442000, "_nanoseconds": 5}`.
    """
    for key in ("$date", "$numberLong"):
        if isinstance(value, dict) and value.keys() == {key}:
            value = value[key]
    for seconds, nanoseconds in FIRESTORE:
        if isinstance(value, dict) and seconds in value and value.keys() <= {seconds, nanoseconds}:
            part = value.get(nanoseconds)
            return f"{value[seconds]}.{part:09d}" if type(part) is int and 0 <= part < 10**9 else value[seconds]
    return value


def _of_serial(text: str) -> datetime | None:
    """A time as spreadsheets count it, in days since 30 December 1899, where such times are read; None for another.

    Only days of this century are: a smaller number may be an offset in a call. The fraction is rounded to milliseconds.
    Source: https://support.microsoft.com/office/date-function-e36c0c8c-4104-49da-ab83-82328b832349.
    """
    orders = _ORDERS.get(None)
    if not orders or not orders.serial or not _SERIAL.fullmatch(text):
        return None
    days = float(text.replace(",", "."))
    return SERIAL + timedelta(milliseconds=round(days * 86_400_000)) if CENTURY[0] <= days < CENTURY[1] else None


def _of_power(text: str) -> str:
    """A number such as 1.7724420001234E12 in digits. Raises ValueError where the last of them are lost.

    Java writes every digit that a number needs, and no plus (Double.toString); spreadsheets and C's %g write as many
    as fit, and a plus: https://support.microsoft.com/office/f85a96c0-18a1-4249-81c3-e934cd2aae25.
    """
    first, more, plus, power = _POWER.fullmatch(text).groups("")  # type: ignore[union-attr]
    if plus and len(more) < int(power):
        raise ValueError(
            f"timestamp: {text} has lost its last digits, as spreadsheets show long numbers: show the column as a "
            "number without decimals, and save it again"
        )
    at = int(power)
    return f"{first}{more[:at].ljust(at, '0')}" + (f".{more[at:]}" if more[at:] else "")


def of_day_and_clock(day: str, clock: str) -> str:
    """The time that a day and a time of day make, each as a table writes it, as one text for `moment`.

    A day may come with midnight, as workbooks have it, and a time of day as a fraction of a day, or with its date.
    """
    day, clock = _MIDNIGHT.sub("", day.strip()), clock.strip()
    if _DATED.search(clock):
        return clock
    if _FRACTION.fullmatch(clock):
        seconds = round(float(clock.replace(",", ".")) * 86_400)
        if _SERIAL.fullmatch(day):
            return str(int(day) + seconds / 86_400)
        clock = f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    if _SERIAL.fullmatch(day) and clock:
        day = f"{SERIAL + timedelta(days=int(float(day.replace(',', '.'))))}".partition(" ")[0]
    return f"{day} {clock}" if day and clock else day


def _of_number(number: float) -> datetime | None:
    """Seconds or whole milliseconds since 1970, of ten or thirteen digits, as `_since_1970` reads their text.

    None for any other number. It is for speed alone.
    """
    if type(number) is int or number.is_integer():
        if 10**12 <= number < 10**13:
            return EPOCH + timedelta(milliseconds=number)
        return EPOCH + timedelta(seconds=number) if 10**9 <= number < 10**10 else None
    if not 1e9 <= number < 1e10:
        return None
    whole, _, part = f"{number:f}".partition(".")
    return EPOCH + timedelta(seconds=int(whole), microseconds=int(part))


def _since_1970(whole: str, part: str) -> datetime:
    if len(whole) == 19:
        whole, part = whole[:16], whole[16:]
    if len(whole) not in MICROSECONDS:
        raise ValueError(WRONG)
    unit = MICROSECONDS[len(whole)]
    return EPOCH + timedelta(microseconds=int(whole) * unit + int((part + "000000")[:6]) * unit // 1_000_000)


def _written(text: str) -> datetime:
    """A time in words; naive where it has no zone."""
    if _COMPACT.fullmatch(text):
        text = f"{text[:8]}T{text[8:]}"
    try:
        return datetime.fromisoformat(text[:-4] + "+00:00" if text.endswith(" UTC") else text)
    except ValueError:
        pass
    if java := _JAVA.fullmatch(text):
        at = _written(java[1])
        return at if at.tzinfo else at.replace(tzinfo=_place(java[2]))
    for form in _FORMS:
        if found := form.fullmatch(text):
            return _at(found, _month(found.groupdict()), int(found["d"]))
    if found := _EITHER.fullmatch(text):
        return _at(found, *_ordered(found, text))
    raise ValueError(WRONG)


def _month(found: dict[str, str]) -> int:
    if "mo" in found:
        return int(found["mo"])
    name = found["name"].lower()
    if name[:3] not in MONTHS:
        raise ValueError(WRONG)
    return MONTHS.index(name[:3]) + 1


def _ordered(found: re.Match[str], text: str) -> tuple[int, int]:
    """Month and day of a time in which either may come first. Raises ValueError where nothing tells."""
    one, two = int(found["one"]), int(found["two"])
    orders = _ORDERS.get(None) or Orders()
    if one > 12 >= two:
        orders.dmy += 1
    elif two > 12 >= one:
        orders.mdy += 1
    if orders.named or one > 12 or two > 12:
        first_is_day = orders.named == "dmy" if orders.named else one > 12
        return (two, one) if first_is_day else (one, two)
    if one == two:
        return one, two
    orders.undecided = orders.undecided or text
    raise ValueError(
        f"timestamp: {text} is {one} {MONTHS[two - 1].title()} or {two} {MONTHS[one - 1].title()}, and the times of "
        "this file do not decide it: --times dmy or --times mdy (CPA_TIMES)"
    )


def _at(found: re.Match[str], month: int, day: int) -> datetime:
    parts = found.groupdict()
    year = int(parts["y"]) + (2000 if len(parts["y"]) == 2 else 0)
    hour = int(parts["h"] or 0)
    if parts["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(WRONG)
        hour = hour % 12 + (12 if parts["half"].lower() == "p" else 0)
    micros = int(((parts["f"] or "") + "000000")[:6])
    try:
        at = datetime(year, month, day, hour, int(parts["m"] or 0), int(parts["s"] or 0), micros)
    except ValueError:
        raise ValueError(WRONG) from None
    return at.replace(tzinfo=_zone(parts))


_OFFSET = re.compile(r"(?:utc|gmt)?\s?([+-])(\d{1,2})(?::?(\d\d))?", re.IGNORECASE)


def zone(words: str) -> tzinfo | None:
    """The zone that these words name, such as `UTC`, `Asia/Kolkata` or `GMT+1`; None where they name none."""
    if offset := _OFFSET.fullmatch(words):
        minutes = int(offset[2]) * 60 + int(offset[3] or 0)
        return timezone(timedelta(minutes=-minutes if offset[1] == "-" else minutes)) if minutes < 24 * 60 else None
    if words.lower() not in ZONES and "/" not in words:
        return None
    try:
        return UTC if words.lower() in ("utc", "gmt", "z", "ut") else _place(words)
    except ValueError:
        return None


def _zone(parts: dict[str, str]) -> tzinfo | None:
    name, offset, place = (parts.get(key) for key in ("zone", "offset", "place"))
    place = place or parts.get("region")
    if name and name.lower() not in ZONES:
        raise ValueError(WRONG)
    if offset:
        minutes = int(offset[1:3]) * 60 + int(offset[-2:])
        return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))
    if name:
        return timezone(timedelta(hours=ZONES[name.lower()]))
    return _place(place) if place else None


def _place(name: str) -> tzinfo:
    if name.lower() in ZONES:
        return timezone(timedelta(hours=ZONES[name.lower()]))
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(WRONG) from None
