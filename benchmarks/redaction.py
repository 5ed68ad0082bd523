"""How well redaction finds what it should: precision and recall per kind, on a corpus of our own making.

python -m benchmarks.redaction            the table
python -m benchmarks.redaction --wrong    and each text in which something was missed or taken for what it is not
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from cpa_core.redaction import KINDS, Patterns

CORPUS = Path(__file__).parent.parent / "tests" / "data" / "redaction.jsonl"
MARK = re.compile(r"⟦([A-Z]+):(.*?)⟧", re.DOTALL)

Found = set[tuple[int, int, str]]


def read() -> Iterator[tuple[str, Found]]:
    """Each text and what is to be found in it; a text without any is a look-alike."""
    for line in CORPUS.read_text("utf-8").split("\n"):
        if line:
            yield unmarked(json.loads(line)["marked"])


def unmarked(marked: str) -> tuple[str, Found]:
    """A text without its marks, and where they were."""
    text, spans, at = "", set(), 0
    for match in MARK.finditer(marked):
        text += marked[at : match.start()]
        spans.add((len(text), len(text) + len(match[2]), match[1]))
        text += match[2]
        at = match.end()
    return text + marked[at:], spans


def measured() -> tuple[dict[str, Counter[str]], list[str]]:
    """Per kind: spans, those found exactly, those hidden whole, wrong finds; and the texts that were got wrong."""
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    wrong: list[str] = []
    patterns = Patterns()
    for text, spans in read():
        found = {(span.start, span.end, span.kind) for span in patterns.spans(text)}
        for start, end, kind in spans:
            whole = any(s <= start and e >= end for s, e, _ in found)
            counts[kind] += Counter(spans=1, exact=(start, end, kind) in found, hidden=whole)
        for start, end, kind in found - spans:
            beside = not any(s < end and e > start for s, e, _ in spans)
            counts[kind] += Counter(other=1, clean=beside and not spans)
        if found != spans:
            said = [f"{text[s:e]!r} is {k}" for s, e, k in sorted(found)]
            wrong.append(f"{text!r}: found {', '.join(said) or 'nothing'}")
    return counts, wrong


def table() -> list[str]:
    """The figures as a table in Markdown."""
    counts, _ = measured()
    clean = sum(not spans for _, spans in read())
    lines = [
        "| kind | spans | found exactly | hidden whole | found wrongly | precision | recall |",
        "|---|---|---|---|---|---|---|",
    ]
    total: Counter[str] = Counter()
    for kind, count in [*counts.items(), ("all", total)]:
        claimed = count["exact"] + count["other"]
        precision = f"{count['exact'] / claimed:.3f}" if claimed else "-"
        lines.append(
            f"| {kind} | {count['spans']} | {count['exact']} | {count['hidden']} | {count['other']} | {precision} "
            f"| {count['exact'] / count['spans']:.3f} |"
        )
        if kind != "all":
            total.update(count)
    return [*lines, "", f"Clean look-alikes: {clean}, of which {total['clean']} finds were made in them."]


def main() -> None:
    """Print the table."""
    print("\n".join(table()))
    if "--wrong" in sys.argv:
        print("\n".join(measured()[1]))


if __name__ == "__main__":
    main()
