"""A model on loopback that answers with the labels that people gave: the gold of star_booking and mathdial.

`with ChatServer(Behaviour(gold_script(folder))) as server: ...`, where the folder holds `conversations.json`,
`gold.csv` (type by message) and `gold_judge.csv` (score by conversation).
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.brain import Body, Line, Question, asked_positions, first_words, lines, written
from tests.servers.chat_completions import Says, question
from tests.servers.scripted import Script

USER_TYPE = "User Message"
VERDICTS = {"100": "met", "50": "partly", "0": "missed"}
"""The verdict on every goal that makes code compute the gold score."""


@dataclass(frozen=True)
class Gold:
    """One conversation: its texts by position, the type of each message, null without a label, and its verdict."""

    texts: tuple[str, ...]
    types: tuple[str | None, ...]
    verdict: str


def gold_script(folder: Path) -> Script:
    """Answers from a folder's labels. Raises KeyError for a conversation that is not there."""
    by_text: dict[tuple[int, str], list[Gold]] = {}
    for gold in labels(folder):
        for position, text in enumerate(gold.texts):
            by_text.setdefault((position, text), []).append(gold)

    def script(body: Body, nth: int) -> Says:
        asked = question(body)
        shown = lines(asked.user)
        gold = next(one for one in by_text[shown[0].m, shown[0].text] if _is_of(shown, one))
        return Says(json.dumps(_tags(asked, shown, gold) if asked.task == "tag" else _judgment(asked, shown, gold)))

    return script


def labels(folder: Path) -> list[Gold]:
    """Every conversation of the folder with its labels."""
    types = {(row["conversation_id"], row["message_id"]): row["event_type"] for row in _rows(folder / "gold.csv")}
    scores = {row["conversation_id"]: row["score"] for row in _rows(folder / "gold_judge.csv")}
    tree: dict[str, Any] = json.loads((folder / "conversations.json").read_text("utf-8"))
    return [
        Gold(
            tuple(message["content"] for message in one["messages"]),
            tuple(
                USER_TYPE if message["role"] == "user" else types.get((key, message["message_id"])) or None
                for message in one["messages"]
            ),
            VERDICTS.get(scores.get(key, ""), "cannot tell"),
        )
        for key, one in tree.items()
    ]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _is_of(shown: Sequence[Line], gold: Gold) -> bool:
    return all(line.m < len(gold.texts) and gold.texts[line.m] == line.text for line in shown)


def _tags(asked: Question, shown: Sequence[Line], gold: Gold) -> Body:
    texts = {line.m: line.text for line in shown}
    found = {m: [_event(kind, texts[m])] if (kind := gold.types[m]) else [] for m in asked_positions(asked.user)}
    return {"messages": [row for m, events in found.items() for row in written(m, events)]}


def _event(kind: str, text: str) -> Body:
    return {"quote": first_words(text), "because": "A person labelled it so.", "type": kind, "properties": []}


def _judgment(asked: Question, shown: Sequence[Line], gold: Gold) -> Body:
    m, quote, because = shown[-1].m, first_words(shown[-1].text), "The outcome that a person reported."

    def findings(key: str, finding: Body) -> list[Body]:
        ids = asked.shape[key]["items"]["properties"]["id"].get("enum", [])
        return [{"id": one, "m": m, "quote": quote, "because": because, **finding} for one in ids]

    return {
        "goals": findings("goals", {"verdict": gold.verdict}),
        "dealbreakers": findings("dealbreakers", {"hit": False}),
        "because": because,
    }
