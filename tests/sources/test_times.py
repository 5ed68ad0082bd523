"""A time is read as the instant it says, in every common form, or not at all; nobody guesses day and month."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpa_core.errors import SettingsError, SourceError
from cpa_core.settings import settings
from cpa_core.sources import File, as_records, read
from cpa_core.sources.times import moment, ordered
from tests.support.examples import examples
from tests.support.homes import NOW, Home

FORMS = {
    "ISO 8601, nanoseconds": lambda at: at.strftime("%Y-%m-%dT%H:%M:%S.%f789Z"),
    "ISO 8601, basic": lambda at: at.strftime("%Y%m%dT%H%M%SZ"),
    "Postgres": lambda at: at.strftime("%Y-%m-%d %H:%M:%S.%f+00"),
    "BigQuery": lambda at: at.strftime("%Y-%m-%d %H:%M:%S.%f UTC"),
    "Snowflake": lambda at: at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " +0000",
    "RFC 2822": lambda at: at.strftime("%a, %d %b %Y %H:%M:%S GMT"),
    "RFC 2822, another zone": lambda at: at.astimezone(ZoneInfo("Asia/Kolkata")).strftime("%a, %d %b %Y %H:%M:%S %z"),
    "RFC 2822, obsolete zone": lambda at: (at - timedelta(hours=5)).strftime("%d %b %Y %H:%M:%S EST"),
    "Java ZonedDateTime": lambda at: (
        at.astimezone(ZoneInfo("Europe/Paris")).isoformat(timespec="seconds") + "[Europe/Paris]"
    ),
    "Java, zone alone": lambda at: at.strftime("%Y-%m-%dT%H:%M:%S[UTC]"),
    "Java Date": lambda at: at.strftime("%a %b %d %H:%M:%S UTC %Y"),
    "JavaScript Date": lambda at: at.strftime("%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)"),
    "asctime": lambda at: at.strftime("%a %b ") + f"{at.day:2}" + at.strftime(" %H:%M:%S %Y"),
    "log with a comma": lambda at: at.strftime("%Y-%m-%d %H:%M:%S,%f")[:-3],
    "slashes, year first": lambda at: at.strftime("%Y/%m/%d %H:%M:%S"),
    "English, twelve hours": lambda at: at.strftime("%B %d, %Y at %I:%M:%S %p"),
    "German": lambda at: at.strftime("%d.%m.%Y %H:%M:%S"),
    "Oracle": lambda at: at.strftime("%d-%b-%Y %H:%M:%S").upper(),
    "Oracle, as it shows timestamps": lambda at: at.strftime("%d-%b-%y %I.%M.%S.%f000 %p").upper(),
    "Kibana": lambda at: at.strftime("%b %d, %Y @ %H:%M:%S.%f")[:-3],
    "compact": lambda at: at.strftime("%Y%m%d%H%M%S"),
    "seconds": lambda at: str(int(at.timestamp())),
    "seconds with a fraction": lambda at: f"{at.timestamp():.3f}",
    "milliseconds": lambda at: str(int(at.timestamp() * 1000)),
    "microseconds": lambda at: str(int(at.timestamp()) * 1_000_000),
    "nanoseconds": lambda at: str(int(at.timestamp()) * 1_000_000_000),
}
MOMENTS = st.datetimes(datetime(2001, 9, 9, 2), datetime(2068, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))


@pytest.mark.parametrize("form", FORMS)
@examples(50)
@given(at=MOMENTS)
def test_every_form_is_read_as_its_instant(form: str, at: datetime) -> None:
    found, _ = moment(FORMS[form](at))
    assert found is not None and abs(found - at) < timedelta(seconds=1)


@pytest.mark.parametrize("form", ["log with a comma", "German", "compact", "asctime", "English, twelve hours"])
def test_a_form_without_a_zone_is_one_of_the_assumed_zone_and_says_so(form: str) -> None:
    at = datetime(2026, 7, 2, 9, tzinfo=UTC)
    assert moment(FORMS[form](at), ZoneInfo("Asia/Tokyo")) == (at - timedelta(hours=9), True)


@pytest.mark.parametrize("form", ["Snowflake", "RFC 2822", "Java Date", "microseconds", "JavaScript Date"])
def test_a_form_with_a_zone_is_not_of_the_assumed_one(form: str) -> None:
    at = datetime(2026, 7, 2, 9, tzinfo=UTC)
    assert moment(FORMS[form](at), ZoneInfo("Asia/Tokyo")) == (at, False)


@examples(50)
@given(st.text(max_size=30))
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    try:
        found, _ = moment(text)
    except ValueError as error:
        assert str(error).startswith("timestamp:")
    else:
        assert found is None or found.tzinfo is UTC


@examples(80)
@given(
    st.one_of(
        st.floats(9e8, 1.1e10),
        st.integers(900_000_000, 11_000_000_000),
        st.integers(900_000_000_000, 11_000_000_000_000),
    )
)
def test_a_number_since_1970_is_the_instant_of_its_text(number: float) -> None:
    try:
        of_text = moment(f"{number:f}" if isinstance(number, float) else str(number))
    except ValueError:
        with pytest.raises(ValueError, match="timestamp"):
            moment(number)
    else:
        assert moment(number) == of_text


@pytest.mark.parametrize("text", ["2026-02-30 10:00 AM", "32/01/2026", "Mon, 02 Foo 2026 09:00:00 GMT", "99:99",
                                  "2026-03-02 13:00 PM", "Mon, 02 Mar 2026 09:00:00 XYZ", "2026-03-02[Nowhere/No]",
                                  "123456789012345", "12345678"])  # fmt: skip
def test_what_only_looks_like_a_time_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="timestamp"):
        moment(text)


def column(*times: str) -> bytes:
    rows = [f'c{n},user,x,"{at}"' for n, at in enumerate(times)]
    return "\n".join(["conversation_id,role,content,timestamp", *rows, ""]).encode()


def days(content: bytes, **how: object) -> list[str]:
    records = as_records(read(File("a.csv", content, **how), None))  # type: ignore[arg-type]
    return [str(r.sent_at.date()) for r in sorted(records, key=lambda r: r.ordinal)]


@examples(50)
@given(st.lists(st.dates(date(2001, 1, 1), date(2060, 1, 1)), min_size=1, max_size=8), st.sampled_from("/-"))
def test_one_day_after_the_twelfth_decides_a_column_and_without_one_nothing_is_guessed(
    dates: list[date], mark: str
) -> None:
    for order, form in (("dmy", f"%d{mark}%m{mark}%Y 09:00"), ("mdy", f"%m{mark}%d{mark}%Y 9:00 AM")):
        content = column(*(one.strftime(form) for one in dates))
        assert days(content, times=order) == [str(one) for one in dates]
        if any(one.day > 12 for one in dates) or all(one.day == one.month for one in dates):
            assert days(content) == [str(one) for one in dates]
        elif all(one.day != one.month for one in dates):
            with pytest.raises(SourceError, match="--times dmy or --times mdy"):
                days(content)


def test_a_column_that_mixes_both_orders_rejects_what_could_be_either() -> None:
    found = read(File("a.csv", column("14/03/2026", "03/14/2026", "03/02/2026")), None)
    assert [r.place for r in found.rejects] == ["line 4"] and "--times" in found.rejects[0].reason
    assert found.records.num_rows == 2


def test_one_undecided_time_among_others_is_a_reject_and_the_others_land() -> None:
    found = read(File("a.csv", column("2026-03-02T09:00:00Z", "03/02/2026 09:00")), None)
    assert [r.place for r in found.rejects] == ["line 3"] and found.records.num_rows == 1


def test_a_named_order_is_kept_and_a_time_that_breaks_it_is_a_reject() -> None:
    found = read(File("a.csv", column("03/02/2026", "03/14/2026"), times="dmy"), None)
    assert days(column("03/02/2026"), times="dmy") == ["2026-02-03"]
    assert [r.place for r in found.rejects] == ["line 3"]


def test_the_order_holds_for_one_reading_only() -> None:
    with ordered("dmy"):
        assert moment("03/02/2026")[0] == datetime(2026, 2, 3, tzinfo=UTC)
    with pytest.raises(ValueError, match="3 Feb or 2 Mar"):
        moment("03/02/2026")


def test_only_two_orders_can_be_named() -> None:
    assert settings({"CPA_TIMES": "DMY"}).times == "dmy"
    with pytest.raises(SettingsError, match="must be dmy"):
        settings({"CPA_TIMES": "ymd"})


def test_times_in_the_future_are_named_with_their_count_and_the_latest(tmp_path: Path) -> None:
    home = Home(tmp_path)
    later = [NOW + timedelta(days=n) for n in (1, 400)]
    home.write("a.csv", column(NOW.isoformat(), *(at.isoformat() for at in later)))
    (warning,) = home.land().warnings
    assert warning.startswith(f"2 messages have times in the future, the latest {later[1]:%Y-%m-%dT%H:%M:%SZ}")


def test_a_clock_that_is_a_little_ahead_is_no_future(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.write("a.csv", column((NOW + timedelta(minutes=2)).isoformat()))
    assert home.land().warnings == ()
