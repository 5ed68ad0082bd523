"""Redaction: finds text that identifies a person, and replaces it by placeholders that stay the same in a conversation.

Addresses and numbers with a form (e-mail, cards by their check digit) are found by that form. Names are found in
introductions, signatures and metadata. Names are best effort, measured in docs/redaction.md.
"""

import importlib
import ipaddress
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Literal, Protocol

from phonenumbers import Leniency, PhoneNumberMatcher

from cpa_core.errors import SettingsError
from cpa_core.models import Value
from cpa_core.settings import Settings

Kind = Literal["KEY", "EMAIL", "IBAN", "CARD", "SSN", "IP", "PHONE", "NAME"]
"""The kinds of text found, in order of precedence if two overlap."""

KINDS: tuple[Kind, ...] = ("KEY", "EMAIL", "IBAN", "CARD", "SSN", "IP", "PHONE", "NAME")

NAME_KEYS = re.compile(
    r"(?i)^((user|customer|client|caller|patient|contact|member|account|agent)[_ -]?)?"
    r"((first|last|given|family|full|middle|sur|display|nick|legal)[_ -]?)?name$"
)
"""Keys of metadata whose value is a person's name."""


class Span(Value):
    """Characters `start` to `end` (exclusive) of a text, and what they are."""

    start: int
    end: int
    kind: str


class Forms(dict[int, str]):
    """The form of each character for the patterns, computed once: one character for each, so that places stay.

    Digits of every script and full-width signs become ASCII. Letters of scripts that put no spaces between words become
    a sign that is no letter, so that what stands beside them is not taken for a part of a longer word.
    """

    def __missing__(self, ordinal: int) -> str:
        letter = chr(ordinal)
        digit = unicodedata.decimal(letter, None)
        if digit is not None:
            seen = str(digit)
        elif 0xFF01 <= ordinal <= 0xFF5E:
            seen = chr(ordinal - 0xFEE0)
        elif ordinal == 0x3000:
            seen = " "
        else:
            seen = BESIDE if unicodedata.name(letter, "").startswith(SPACELESS) else letter
        self[ordinal] = seen
        return seen


BESIDE = "\u00b7"
SPACELESS = ("CJK ", "HIRAGANA ", "KATAKANA", "HANGUL ", "THAI ", "LAO ", "KHMER ", "MYANMAR ", "BOPOMOFO ")
"""How Unicode's names begin of letters that stand beside a word of another script without a space."""
FORMS = Forms()


class Redactor(Protocol):
    """Finds the text to hide. The plug point: `CPA_REDACTOR=package.module:name` names another."""

    def names(self, text: str) -> Collection[str]:
        """Names of people that the text introduces; they are then hidden in the whole conversation."""
        ...

    def spans(self, text: str, names: Collection[str]) -> Sequence[Span]:
        """Return the spans to hide in the text, in order, without overlap."""
        ...


class Patterns:
    """The built-in redactor: forms, check digits, and words that introduce a name. It uses no model and no network.

    `regions` are countries whose national phone numbers are known without a leading plus.
    """

    def __init__(self, regions: Sequence[str] = ("US", "GB", "DE", "FR")) -> None:
        self.regions = regions

    def names(self, text: str) -> list[str]:
        """Names that somebody gives as their own: `my name is Ana Silva`, `I'm Ana`, a signature."""
        found: list[str] = []
        for pattern in INTRODUCTIONS:
            for match in pattern.finditer(text):
                name = _name(match["name"])
                if name:
                    found.append(name)
        return found

    def spans(self, text: str, names: Collection[str] = ()) -> list[Span]:
        """Return the spans to hide; if two overlap, the kind first in KINDS takes precedence."""
        plain = text if text.isascii() else text.translate(FORMS)
        finders: dict[Kind, Iterable[tuple[int, int]]] = {
            "KEY": _keys(plain),
            "EMAIL": _emails(plain),
            "IBAN": _ibans(plain),
            "CARD": _cards(plain),
            "SSN": _ssns(plain),
            "IP": _addresses(plain),
            "PHONE": self._phones(plain),
            "NAME": _known(text, [*names, *self.names(text)]),
        }
        taken: list[Span] = []
        for kind in KINDS:
            for start, end in finders[kind]:
                if all(end <= span.start or start >= span.end for span in taken):
                    taken.append(Span(start=start, end=end, kind=kind))
        return sorted(taken, key=lambda span: span.start)

    def _phones(self, text: str) -> Iterator[tuple[int, int]]:
        if not GROUPED.search(text) and not (PERHAPS_PHONE.search(text) and PHONE_WORDS.search(text)):
            return
        for region in (None, *self.regions):
            for match in PhoneNumberMatcher(text, region, leniency=Leniency.VALID):
                before = text[max(0, match.start - 40) : match.start]
                if text[match.start - 1 : match.start].isalnum() or text[match.end : match.end + 1].isalnum():
                    continue
                told = bool(PHONE_WORDS.search(before)) and not NOT_PHONE_WORDS.search(before)
                grouped = not match.raw_string.isdigit() and not NOT_PHONE_WORDS.search(before)
                if match.raw_string.startswith("+") or told or (grouped and _is_phone_form(match.raw_string)):
                    yield match.start, match.end


class Pseudonyms:
    """The placeholders of one conversation: the same thing gets the same one, wherever it is said.

    Give the conversation's messages first, in order, so that the numbers do not depend on what is tagged.
    """

    def __init__(self, redactor: Redactor, messages: Iterable[str] = (), names: Collection[str] = ()) -> None:
        self._redactor = redactor
        self._numbers: dict[tuple[str, str], int] = {}
        texts = list(messages)
        self._names = list(dict.fromkeys([*names, *(name for text in texts for name in redactor.names(text))]))
        for text in texts:
            self(text)

    def __call__(self, text: str) -> str:
        """The text with placeholders, as in `write to [EMAIL_1]`."""
        return self.part(text, 0, len(text))

    def part(self, text: str, start: int, end: int) -> str:
        """Return characters `start` to `end` (exclusive) redacted, with names known from the whole text."""
        parts: list[str] = []
        at = start
        for span, placeholder in self.placed(text):
            if span.end > start and span.start < end:
                parts += [text[at : span.start], placeholder]
                at = max(at, span.end)
        return "".join([*parts, text[at:end]])

    def placed(self, text: str) -> list[tuple[Span, str]]:
        """Return the hidden spans of the text, in order, each with its placeholder."""
        spans = self._redactor.spans(text, self._names)
        return [(span, self._placeholder(span.kind, text[span.start : span.end])) for span in spans]

    def _placeholder(self, kind: str, said: str) -> str:
        key = (kind, self._same(kind, said))
        number = self._numbers.setdefault(key, 1 + sum(other == kind for other, _ in self._numbers))
        return f"[{kind}_{number}]"

    def _same(self, kind: str, said: str) -> str:
        """Return the normalised form that two spellings of one thing share: a first name stands for the full name."""
        if kind == "NAME":
            whole = next((name for name in self._names if said.casefold() in name.casefold().split()), said)
            return whole.casefold()
        return said.casefold() if kind == "KEY" else re.sub(r"[^\w@.:]|(?<=\d)\.", "", said).casefold()


def names_of(metadata: Mapping[str, object]) -> list[str]:
    """Names of people in metadata, at any depth, by their keys."""
    found: list[str] = []
    for key, value in metadata.items():
        if isinstance(value, Mapping):
            found += names_of(value)
        elif isinstance(value, str) and NAME_KEYS.match(key) and any(letter.isalpha() for letter in value):
            found.append(" ".join(value.split()))
    return found


def redactor(given: Settings) -> Redactor:
    """Return the redactor that CPA_REDACTOR names, else the built-in one for the countries of CPA_PHONE_REGIONS.

    Raises SettingsError.
    """
    named = given.redactor
    if not named:
        return Patterns(given.phone_regions)
    place, _, name = named.partition(":")
    try:
        make: Callable[[], Redactor] = getattr(importlib.import_module(place), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(f"CPA_REDACTOR is {named!r}: package.module:name is needed ({error})") from None
    return make()


KEY_FORMS = re.compile(
    r"""-----BEGIN[ A-Z]*PRIVATE\ KEY-----.*?(?:-----END[ A-Z]*PRIVATE\ KEY-----|\Z)
    |(?<![\w-])(?:
        sk-(?:ant-|proj-|svcacct-)?[\w-]{16,}|[sr]k_(?:live|test)_\w{10,}|pk_(?:live|test)_\w{10,}|whsec_\w{16,}
        |gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeoprs]-[\w-]{10,}|xapp-[\w-]{10,}
        |A(?:KIA|SIA|GPA|IDA|ROA)[0-9A-Z]{16}|AIza[\w-]{30,}|ya29\.[\w.-]{20,}|npm_\w{30,}|pypi-[\w-]{30,}
        |hf_\w{20,}|ph[cxs]_\w{20,}|SG\.[\w-]{16,}\.[\w-]{16,}|dop_v1_\w{32,}|shp(?:at|ss|ca)_\w{20,}|gsk_\w{20,}
        |eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}
    )(?![\w-])""",
    re.VERBOSE | re.DOTALL,
)
KEY_WORDS = re.compile(
    r"""(?ix)\b(?:api[ _-]?key|access[ _-]?key|secret(?:[ _-]?key)?|(?:access|auth|api|bearer)[ _-]?token|token
        |password|passwd|passphrase|pwd|pass\s?code)
        (?:\s+(?:is|was)(?:\s+now)?\s*:?\s+|\s*[:=]\s*)["'`]?(?P<key>[^\s"'`,;]{6,})"""
)
KEY_BEARER = re.compile(r"\bBearer\s+(?P<key>[\w.~+/-]{16,}=*)")
KEY_IN_ADDRESS = re.compile(r"\b[a-z][a-z+]+://[^\s/:@]+:(?P<key>[^\s/@]{3,})@")


def _keys(text: str) -> Iterator[tuple[int, int]]:
    for match in KEY_FORMS.finditer(text):
        yield match.span()
    for match in (*KEY_WORDS.finditer(text), *KEY_BEARER.finditer(text)):
        start, end = match.span("key")
        while end > start and text[end - 1] in ".?!)":
            end -= 1
        if any(c.isdigit() for c in text[start:end]) and any(c.isalpha() for c in text[start:end]):
            yield start, end
    for match in KEY_IN_ADDRESS.finditer(text):
        yield match.span("key")


EMAIL = re.compile(
    r"(?<![\w.+%-])(?<!//)[^\W_][\w.+%'-]*@(?:[^\W_](?:[\w-]*[^\W_])?\.)+(?P<last>[^\W\d_]{2,24}|xn--[\w-]+)(?![\w@-])"
)
FILE_ENDING = re.compile(r"(?i)png|jpe?g|gif|svg|webp|ico|css|js|ts|json|map|html|md|txt|pdf|zip")


def _emails(text: str) -> Iterator[tuple[int, int]]:
    for match in EMAIL.finditer(text):
        user, _, domain = match[0].partition("@")
        is_file = bool(FILE_ENDING.fullmatch(match["last"]))
        is_clone = user == "git" and text[match.end() : match.end() + 1] in (":", "/")
        if not is_file and not is_clone and not re.match(r"\d+\.\d", domain):
            yield match.span()


SWIFT_REGISTRY = """
AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 FR27
GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27
MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SD18 SE24 SI19 SK24 SM27 ST25 SV28
TL23 TN24 TR26 UA29 VA22 VG24 XK20
"""
IBAN_LENGTHS = {entry[:2]: int(entry[2:]) for entry in SWIFT_REGISTRY.split()}
"""The length of each country's IBAN, by the SWIFT registry."""
IBAN = re.compile(r"(?i)(?<!\w)(?=([A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}))")


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    for match in IBAN.finditer(text):
        length = IBAN_LENGTHS.get(match[1][:2].upper(), 0)
        places = [place for place, letter in enumerate(match[1]) if letter.isalnum()][:length]
        if not length or len(places) < length:
            continue
        end = match.start() + places[-1] + 1
        plain = re.sub(r"[ -]", "", text[match.start() : end]).upper()
        number = "".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])
        if not text[end : end + 1].isalnum() and int(number) % 97 == 1:
            yield match.start(), end


CARD = re.compile(r"(?<![\w.,-])(?<!\d )\d(?:[ -]?\d){12,18}(?![\w-]|[.,]\d)")
CARD_ISSUERS = re.compile(
    r"4(\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|(6011|65\d\d|64[4-9]\d)\d{12,15}|35(2[89]|[3-8]\d)\d{12,15}|3(0[0-5]|[689]\d)\d{11}|62\d{14,17}|(50|5[6-9]|6\d)\d{14}"
)


def _cards(text: str) -> Iterator[tuple[int, int]]:
    for match in CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if CARD_ISSUERS.fullmatch(digits) and _luhn(digits) and len(set(digits)) > 1:
            yield match.span()


def _luhn(digits: str) -> bool:
    doubled = (int(d) * (1 if n % 2 else 2) for n, d in enumerate(reversed(digits), 1))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


SSN = re.compile(r"(?<![\w.,/-])(?<!\d )(\d{3})([- .]?)(\d{2})\2(\d{4})(?![\w/-]|[.,]\d| \d)")
SSN_WORDS = re.compile(r"(?i)\b(ssn|itin|tin|social(?: security)?(?: number| no\.?| #)?|taxpayer id\w*)\b[^.\n]{0,30}$")


def _ssns(text: str) -> Iterator[tuple[int, int]]:
    for match in SSN.finditer(text):
        area, between, group, serial = match.groups()
        told = bool(SSN_WORDS.search(text[max(0, match.start() - 60) : match.start()]))
        is_taxpayer = area[0] == "9" and (50 <= int(group) <= 65 or 70 <= int(group) <= 99)
        issued = area not in ("000", "666") and (area[0] != "9" or is_taxpayer) and group != "00" and serial != "0000"
        if issued and (between == "-" or told):
            yield match.span()


IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f:]*\d)(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
VERSION_WORDS = re.compile(
    r"(?i)(\b(version|ver|release|build|firmware|section|sec|chapter|clause|article|paragraph|driver|v)\.?:? ?|§ ?)$"
)


def _addresses(text: str) -> Iterator[tuple[int, int]]:
    for match in (*IPV4.finditer(text), *IPV6.finditer(text)):
        try:
            address = ipaddress.ip_address(match[0])
        except ValueError:
            continue
        local = address.is_loopback or address.is_unspecified or match[0].startswith("255.")
        if not local and not VERSION_WORDS.search(text[max(0, match.start() - 12) : match.start()]):
            yield match.span()


PERHAPS_PHONE = re.compile(r"(?:\d[\s().\-/‑–]{0,3}){7}")
GROUPED = re.compile(r"\+[\d(]|\d[\s().\-/‑–]{1,3}\d")
PHONE_WORDS = re.compile(
    r"(?i)\b(phone|tel|telephone|mobile|cell|fax|whats ?app|call|text|ring|reach|dial|sms|contact|number is|handy"
    r"|telefon|téléphone)\b"
)
NOT_PHONE_WORDS = re.compile(
    r"(?i)\b(order|invoice|tracking|ticket|reference|ref|isbn|serial|part|model|sku|case|policy|claim|account|po|upc|ean"
    r"|form|version|item|booking|confirmation|receipt|transaction|id|lot|batch|imei|vin)\b"
    r"[ .:#]*(\w+ ){0,2}[#:]?\s*\S{0,6}$"
)
PHONE_FORMS = re.compile(r"\(?\d+\)?(?:[ .\-/()‑–]+\d{2,})+")


def _is_phone_form(raw: str) -> bool:
    """Digits in groups as people write a number to call, and not a date, a range of years or a sum."""
    groups = re.findall(r"\d+", raw)
    dated = re.fullmatch(r"\d{4}([-./ ])\d{1,2}\1\d{1,2}.*|\d{1,2}([-./ ])\d{1,2}\2\d{4}.*|\d{4}\s?[-–]\s?\d{4}", raw)
    return bool(PHONE_FORMS.fullmatch(raw)) and not dated and 2 <= len(groups) <= 6 and len("".join(groups)) >= 9


PART = r"[^\W\d_a-z][^\W\d_]*(?:['’-][^\W\d_]+)*"
PARTICLE = r"(?:de|da|do|del|della|di|van|von|der|den|bin|ibn|al|el|la|le|dos|du|of|O['’])"
CAPITALISED = rf"{PART}(?:[ \t]+(?:{PARTICLE}[ \t]+){{0,2}}{PART}){{0,3}}"
ANY_CASE = r"[^\W\d_]+(?:['’-][^\W\d_]+)*(?:[ \t]+[^\W\d_]+(?:['’-][^\W\d_]+)*){0,1}"
GIVEN = (
    r"my (?:full |first |last |real |legal )?name is|my name['’]s|my names|mein name ist|ich hei(?:ß|ss)e"
    r"|je m['’]appelle|mon nom est|me llamo|mi nombre es|mi chiamo|meu nome é|mijn naam is"
)
ENDED = r"(?=\s*(?:[,.!?;:()\n—–-]|$|(?:and|from|at|with|here|calling|speaking|writing|again|but|by|und|et|y)\b))"
SPEAKING = r"(?=,?\s+(?i:from|here|calling|speaking|writing|again|with)\b)"
FAREWELL = r"(?:best|kind|warm)?[ \t]*(?:regards|wishes|sincerely|cheers|yours truly|best|thanks|thank you)"
INTRODUCTIONS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?i:\b(?:{GIVEN}))\s+(?P<name>{CAPITALISED})",
        rf"(?i:\b(?:{GIVEN}))\s+(?P<name>{ANY_CASE})",
        rf"(?i:\b(?:i['’]m|i am|call me|name['’]?s|ich bin|je suis|soy|sono))\s+(?P<name>{CAPITALISED}){ENDED}",
        rf"(?i:\b(?:this is|it['’]s))\s+(?P<name>{CAPITALISED}){SPEAKING}",
        rf"(?im:^[ \t]*(?:full |customer |patient |first |last )?name[ \t]*[:=])[ \t]*(?P<name>{CAPITALISED})",
        rf"(?i:\b{FAREWELL}),?[ \t]*\n+[ \t]*(?P<name>{CAPITALISED})[ \t.]*(?=\n|$)",
    )
)
WORDS = """
a an the not no on in at of for to from with so very just only also still here there back ok okay fine good great
well sorry sure glad happy sad afraid tired worried confused new old now then today tomorrow yesterday never always
i it that this what who why how is was are be being been going gonna trying looking thinking using having getting
doing january february march april june july august september october november december monday tuesday wednesday
thursday friday saturday sunday english german french spanish italian american british canadian indian chinese
japanese korean mexican irish dutch polish russian european asian african australian catholic christian jewish
muslim hindu buddhist team support customer service sincerely regards thanks thank you your yours my mine his her
their our us google microsoft apple amazon paypal windows linux android iphone posthog excel chatgpt claude siri
alexa dr mr mrs ms doctor spelled misspelled wrong different common taken unknown listed missing required and or but
if et und y e en og really currently already almost totally completely absolutely definitely probably maybe ready
done busy free available single married divorced pregnant sick ill hungry broke stuck lost late early aware certain
curious interested self-employed vegan vegetarian bipolar autistic adhd ceo cto cfo hr uk usa eu ai faq irs pdf csv
api sql tbd important urgent awesome amazing nonsense ridiculous unacceptable bullshit
"""
NOT_NAMES = frozenset(WORDS.split())
"""Words after `I'm` and the like that are no name, or end one."""


def _name(said: str) -> str:
    """The words at the beginning that can be a name, or nothing."""
    words: list[str] = []
    for word in said.split():
        if word.casefold() in NOT_NAMES or (len(word) == 1 and not words):
            break
        words.append(word)
    while words and words[-1].islower() and re.fullmatch(PARTICLE, words[-1]):
        words.pop()
    return " ".join(words)


def _known(text: str, names: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Yield the places of a name, or of a capitalised part of one, as a whole word."""
    found: set[tuple[int, int]] = set()
    for name in dict.fromkeys(names):
        found |= {match.span() for match in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE)}
        for part in name.split():
            if len(part) > 2 and part.casefold() not in NOT_NAMES and not re.fullmatch(PARTICLE, part):
                spelled = re.escape(part[0].upper() + part[1:]) + "|" + re.escape(part.upper())
                found |= {match.span() for match in re.finditer(rf"(?<!\w)(?:{spelled})(?!\w)", text)}
    yield from sorted(found, key=lambda span: span[0] - span[1])
