"""Japanese, Arabic and Hindi through quotes, redaction, report and topics: `python -m benchmarks.languages`.

The 200 conversations are made from templates (tests/support/languages.py); nobody said them. Quotes are altered in the
ways of benchmarks/quotes, and in those of their scripts. Redaction's figures are for 30 marked texts, ten a language.
"""

import json
import re
import sys
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from random import Random

from benchmarks.quotes import WAYS, Case, Way, measured, same
from benchmarks.redaction import unmarked
from cpa_core import evidence
from cpa_core.pipeline import Assistant, due_days, land, run_day, write_report
from cpa_core.redaction import Patterns
from cpa_core.settings import settings
from tests.support.languages import LANGUAGES, MARKED, Language, conversations
from tests.support.models import answering

COUNT = 200
LEAST = 0.99
"""The share of altered quotes that must be found at their place."""
SPACELESS: tuple[Language, ...] = ("ja",)
KATAKANA = str.maketrans(
    {
        "ア": "ｱ",
        "プ": "ﾌﾟ",
        "リ": "ﾘ",
        "エ": "ｴ",
        "ラ": "ﾗ",
        "ー": "ｰ",
        "サ": "ｻ",
        "イ": "ｲ",
        "ト": "ﾄ",
        "コ": "ｺ",
        "ド": "ﾄﾞ",
    }
)


def halves(quote: str) -> str:
    """With an ellipsis for the middle, where no spaces part the words."""
    return f"{quote[:6]} ... {quote[-6:]}"


def bold_in_places(text: str) -> str:
    """With four letters of every eight in bold."""
    return "".join(f"**{text[n : n + 4]}**{text[n + 4 : n + 8]}" for n in range(0, len(text), 8))


OWN: dict[Language, dict[str, tuple[Way, Way]]] = {
    "ja": {
        "an ellipsis in the middle": (halves, same),
        "bold in the message": (same, bold_in_places),
        "half-width katakana": (lambda quote: quote.translate(KATAKANA), same),
        "letters taken apart": (lambda quote: unicodedata.normalize("NFD", quote), same),
    },
    "ar": {
        "drawn out (tatweel)": (lambda quote: quote.replace("ال", "الـ", 1), same),
        "letters taken apart": (lambda quote: unicodedata.normalize("NFD", quote), same),
    },
    "hi": {"letters taken apart": (lambda quote: unicodedata.normalize("NFD", quote), same)},
}
"""Alterations for one language: its own, or those that replace an alteration that needs spaces."""


def texts(language: Language) -> list[str]:
    """Each message of the conversations in a language once."""
    found = [
        str(message["content"])
        for name, body in conversations(COUNT).items()
        if name.startswith(language)
        for message in body["messages"]
    ]
    return list(dict.fromkeys(found))


def cases(messages: Sequence[str], language: Language, way: tuple[Way, Way]) -> Iterator[Case]:
    """A quote of each message, altered in one way, where its words stand there once."""
    quoted, written = way
    for n, message in enumerate(messages):
        own = _cut(message, Random(n), has_spaces=language not in SPACELESS)
        ends = (own[:6], own[-6:]) if language in SPACELESS else (" ".join(own.split()[:3]), " ".join(own.split()[-3:]))
        if message.count(own) == 1 and all(message.count(end) == 1 for end in ends):
            text = written(message)
            if written(own) in text and not _cuts_number(quoted(own)) and not _cuts_number(text):
                yield Case(quoted(own), text, written(own))


def _cuts_number(text: str) -> bool:
    """Whether an alteration stands within a number: nobody writes half of one in bold, or leaves half of it out."""
    return bool(re.search(r"\d(?:\*\*|\s?\.\.\.\s?)+\d|\d \.\.\.|\.\.\. \d", text))


def _cut(message: str, random: Random, *, has_spaces: bool) -> str:
    if has_spaces:
        words = message.split(" ")
        length = random.randint(7, min(12, len(words)))
        start = random.randint(0, len(words) - length)
        return " ".join(words[start : start + length]).rstrip(".,;:!?'\" ،؟।")
    length = random.randint(16, min(30, len(message)))
    start = random.randint(0, (len(message) - length) // 8) * 8
    while message[start - 1 : start + 1].isdecimal():  # a quote begins with a whole number
        start -= 1
    return message[start : start + length].rstrip("。、！？")


def quotes() -> bool:
    """Print how many altered quotes are found at their place; whether that is enough in each language."""
    is_enough = True
    for language in LANGUAGES:
        messages, total = texts(language), Counter[str]()
        missed: list[str] = []
        for name, way in (WAYS | OWN[language]).items():
            made = list(cases(messages, language, way))
            found, wrong, _ = measured(evidence.locate, made)
            total += Counter(made=len(made), right=found - wrong, wrong=wrong)
            if made and found - wrong < len(made):
                missed.append(f"{name}: {found} of {len(made)} found, {wrong} wrong")
        share = total["right"] / total["made"]
        print(f"{language}: {total['right']} of {total['made']} altered quotes at their place ({share:.2%})", end="")
        print(f", {total['wrong']} wrong")
        print("".join(f"    {line}\n" for line in missed), end="")
        is_enough &= share >= LEAST
    return is_enough


def redaction() -> None:
    """Print what redaction finds of the marked texts, and name what it does not."""
    patterns = Patterns(("JP", "SA", "IN"))
    for language in LANGUAGES:
        counts: Counter[str] = Counter()
        missed: list[str] = []
        for marked in MARKED[language]:
            text, spans = unmarked(marked)
            found = {(span.start, span.end, span.kind) for span in patterns.spans(text)}
            for start, end, kind in spans:
                is_hidden = any(s <= start and e >= end for s, e, _ in found)
                counts += Counter({"spans": 1, "hidden": is_hidden, "exact": (start, end, kind) in found})
                if not is_hidden:
                    missed.append(f"{kind} {text[start:end]}")
        print(f"{language}: {counts['hidden']} of {counts['spans']} hidden whole, {counts['exact']} found exactly")
        print("".join(f"    not found: {line}\n" for line in missed), end="")


def pages() -> bool:
    """Label all conversations, write the report, find topics; whether every quote has its place."""
    with tempfile.TemporaryDirectory(prefix="languages-") as name:
        folder = Path(name)
        (folder / "chats.json").write_text(json.dumps(conversations(COUNT), ensure_ascii=False), "utf-8")
        root = Path(__file__).parents[1]
        given = settings(
            {
                "CPA_HOME": str(folder / "home"),
                "CPA_SOURCE": str(folder / "chats.json"),
                "CPA_SCHEMA": str(root / "examples" / "therapist" / "schema.yml"),
                "CPA_MODEL": "compatible:simulated",
                "CPA_COMPATIBLE_URL": "http://127.0.0.1:9/v1",
                "CPA_PRIVACY": "full",
            }
        )
        assistant = replace(Assistant.of(given), provider=answering)
        land(assistant)
        for row in due_days(assistant):
            run_day(assistant, row["day"])
        with assistant.store.reading() as view:
            (row,) = view.rows("select count(*) as events, count(quote) as quoted from tagged_events")
        report = write_report(assistant)
        page = report.path.read_text("utf-8")
        is_whole = all(text in page for text in ("お待たせ", "نعتذر", "नमस्ते"))
        print(
            f"{row['quoted']} of {row['events']} events have a quote; a report of {report.conversations} conversations"
        )
        if find_spec("sklearn"):
            from cpa_core.pipeline.topics.placing import find_topics

            done = find_topics(assistant)
            for one in done.corpora:
                print(
                    f"topics of {one.corpus}: {sum(t.corpus == one.corpus for t in done.topics)} of {one.texts} texts"
                )
    return bool(row["events"]) and row["quoted"] == row["events"] and is_whole


def main() -> int:
    """Print all figures: 1 where quotes are not found, or the way through the product has a gap."""
    is_enough = quotes()
    redaction()
    is_whole = pages()
    return 0 if is_enough and is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
