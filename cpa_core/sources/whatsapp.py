"""Chats that WhatsApp exports as text: a line of time and sender, in the phone's language, begins a message.

Sources: https://faq.whatsapp.com/1180414079177245 (exporting a chat), https://whatstk.readthedocs.io (headers of
Android and iOS by language), https://github.com/Pustur/whatsapp-chat-parser (times, system messages, attachments),
https://github.com/unicode-org/cldr-json (dayPeriods: the words for the halves of a day; some stand before the time).
Nothing in it says who is a program: a sender is a role, and `--roles` says whose it is.
"""

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any, NamedTuple

from cpa_core.sources.contents import loaded
from cpa_core.sources.files import File

NAMES = re.compile(r"(?:^|/)(?:_chat|[^/]*whatsapp[^/]*)\.txt$", re.IGNORECASE)
"""Names of exported chats: `_chat.txt` in the zip of an iPhone, `WhatsApp Chat with Ada.txt` in every language."""

BEGINNING = 1 << 14
FORENOONS: tuple[str, ...] = (
    "am",
    "a.m",
    "a m",
    "ص",
    "ق.ظ",
    "לפנה״צ",
    "上午",
    "凌晨",
    "清晨",
    "早上",
    "오전",
    "午前",
    "π.μ",
    "пр.об",
)
FORENOONS += ("पूर्वाह्न", "পূর্বাহ্ণ", "முற்பகல்", "ಪೂರ್ವಾಹ್ನ", "ਪੂ.ਦੁ", "ก่อนเที่ยง", "ÖÖ", "SA", "PG", "de")
AFTERNOONS: tuple[str, ...] = (
    "pm",
    "p.m",
    "p m",
    "م",
    "ب.ظ",
    "אחה״צ",
    "中午",
    "下午",
    "傍晚",
    "晚上",
    "오후",
    "午後",
    "μ.μ",
    "сл.об",
)
AFTERNOONS += ("अपराह्न", "অপরাহ্ণ", "பிற்பகல்", "ಅಪರಾಹ್ನ", "ਬਾ.ਦੁ", "หลังเที่ยง", "ÖS", "CH", "PTG", "du")
"""The words of languages for the halves of a day, the longest form of each without its last point."""


def _half(word: str) -> str:
    """A word for a half of the day without its points and spaces, in one case."""
    return re.sub(r"[.\s]", "", word).casefold()


HALVES = dict.fromkeys(map(_half, FORENOONS), "am") | dict.fromkeys(map(_half, AFTERNOONS), "pm")
_HALF = "|".join(
    re.escape(word).replace(r"\.", r"\.?\s?").replace(r"\ ", r"\.?\s") + r"\.?"
    for word in sorted((*FORENOONS, *AFTERNOONS), key=len, reverse=True)
)
_CLOCK = rf"(?:(?:{_HALF})\s?)?\d{{1,2}}[:.]\d\d(?:[:.]\d\d)?(?:\s?(?:{_HALF}))?"
_DATE = r"\d{1,4}[-/.]\s?\d{1,2}[-/.]\s?\d{1,4}\.?"
_DATED = rf"{_DATE})[,\u060c]?\s(?:klo\s)?"
_HEADER = re.compile(
    rf"^(?:\[(?P<d1>{_DATED}(?P<t1>{_CLOCK})\]\s|(?P<d2>{_DATED}(?P<t2>{_CLOCK})\s[-–]\s)(?P<rest>.*)$",
    re.IGNORECASE | re.DOTALL,
)
_DIGITS = re.compile(r"\d+[:.]\d\d(?:[:.]\d\d)?")
BUDDHIST, ERA = 2400, 543
"""Thai phones count years from the death of the Buddha: 2569 is 2026."""
_SENDER = re.compile(r"(?P<who>[^:\n\x22\u201c\u201d]{1,80}):(?:\s|$)(?P<text>.*)", re.DOTALL)
_MARKS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\ufeff]")
_EDITED = re.compile(r"\s*<[^<>]*(?:edited|bearbeitet|editad|modifi|redigera|gewijzigd)[^<>]*>\s*$", re.IGNORECASE)
_ATTACHED = re.compile(
    r"<[^<>]*(?:omitted|ausgeschlossen|weggelassen|omitid|oculto|omis|omess|weggelaten|utelämna|attached|anexado"
    r"|adjunto|angehängt|pièce jointe|allegato)[^<>]*>|\S+\.\w{2,5} \([^()]*(?:attached|Datei|archivo|arquivo|fichier"
    r"|file|bestand)[^()]*\)|(?:image|video|audio|GIF|sticker|document|Contact card) omitted",
    re.IGNORECASE,
)
_DELETED = re.compile(
    r"(?:this message was deleted|you deleted this message|diese nachricht wurde gelöscht"
    r"|du hast diese nachricht gelöscht|(?:se )?elimin[oóa].*mensaje|eliminaste este mensaje"
    r"|(?:esta )?mensagem (?:foi )?apagada|(?:você )?apagou esta mensagem|ce message a été supprimé"
    r"|vous avez supprimé ce message|questo messaggio è stato eliminato|dit bericht is verwijderd"
    r"|waiting for this message.*|null)\.?",
    re.IGNORECASE,
)


class _Line(NamedTuple):
    """One message: the number of its first line, its time as it is written, and what follows.

    `marked`: the phone put a mark of direction before the text, as iPhones do where the program itself says it.
    """

    number: int
    at: str
    rest: str
    marked: bool


def is_chat(file: File) -> bool:
    """Whether a text file begins as an exported chat does."""
    if not file.name.lower().removesuffix(".gz").endswith(".txt"):
        return False
    text = loaded(file.content)[:BEGINNING].decode("utf-8", "replace")
    lines = [_plain(line) for line in text.split("\n") if line.strip()]
    return bool(lines) and _HEADER.match(lines[0]) is not None


def as_json(file: File) -> bytes:
    """An exported chat as JSON: `{"whatsapp": true, "messages": [{"sender", "text", "kind", "at", "line"}, ...]}`.

    `kind` is message, attachment, deleted or notice; a notice of the program's own has no sender.
    """
    text = loaded(file.content).decode("utf-8", "surrogateescape")
    found = [_message(line) for line in _lines(text.replace("\r\n", "\n"))]
    return json.dumps({"whatsapp": True, "messages": found}).encode()


def _plain(line: str) -> str:
    return _MARKS.sub("", line).replace("\u202f", " ").replace("\xa0", " ")


def _lines(text: str) -> Iterator[_Line]:
    """The messages of a chat; a line without a header continues the one before it."""
    held: _Line | None = None
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(_plain(line)):
            if held:
                yield held
            held = _Line(number, _time(header), header["rest"], ": \u200e" in line)
        elif held:
            held = held._replace(rest=f"{held.rest}\n{_MARKS.sub('', line)}")
    if held:
        yield held


def _time(header: re.Match[str]) -> str:
    """A time as `times.moment` reads it: 31.12.23 has its day first, and 2023/12/31 its year."""
    day = _in_ascii((header["d1"] or header["d2"]).replace(" ", "")).removesuffix(".")
    written = _in_ascii(header["t1"] or header["t2"])
    found = _DIGITS.search(written)
    clock = found[0] if found else ""
    half = HALVES.get(_half(written.replace(clock, "")), "")
    clock = clock.replace(".", ":")
    one, two, three = re.split(r"[-/.]", day)
    if len(three) == 4 and int(three) > BUDDHIST:
        three = f"{int(three) - ERA}"
        day = re.sub(r"\d{4}$", three, day)
    if len(one) == 4:
        day = f"{one}-{two:0>2}-{three:0>2}"
    elif "." in day:
        day = f"{three if len(three) == 4 else '20' + three}-{two:0>2}-{one:0>2}"
    return f"{day} {clock} {half}".rstrip()


def _in_ascii(text: str) -> str:
    """A date or time with the digits of every script as 0 to 9."""
    return "".join(str(unicodedata.decimal(mark)) if mark.isdecimal() else mark for mark in text)


def _message(line: _Line) -> dict[str, Any]:
    said = _SENDER.fullmatch(line.rest)
    about = {"at": line.at, "line": line.number}
    if not said:
        return {"kind": "notice", **about}
    text = _EDITED.sub("", said["text"].rstrip("\n"))
    kind = "deleted" if _DELETED.fullmatch(text.strip()) else "message"
    left = _ATTACHED.sub("", text).strip()
    if kind == "message" and left != text.strip():
        kind, text = ("message", left) if left else ("attachment", text.strip())
    elif kind == "message" and line.marked:
        kind = "notice"
    return {"sender": said["who"].strip(), "text": text, "kind": kind, **about}
