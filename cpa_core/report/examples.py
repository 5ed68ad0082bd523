"""Conversations that serve as examples, with no more of their words than privacy allows."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cpa_core.events import Choices, View, full_view, redacted_view, shown_properties, textless_view
from cpa_core.insights import Selection
from cpa_core.redaction import Pseudonyms, Redactor, names_of
from cpa_core.settings import Privacy
from cpa_core.store.database import Row

Example = dict[str, Any]
Quote = Callable[[str, int, int], str | None]
"""Characters of a message as they may be shown, null for not at all."""


@dataclass(frozen=True)
class Shown:
    """The privacy of one conversation in the file. `has_messages`: whole messages are shown, not only quotes."""

    view: View
    quote: Quote
    has_messages: bool


def shown(privacy: Privacy, texts: Sequence[str], redactor: Redactor, names: Sequence[str]) -> Shown:
    """Return how a conversation may be shown: in full, as redacted quotes, or without any text."""
    if privacy == "full":
        return Shown(full_view(), lambda text, start, end: text[start:end], True)
    if privacy == "no_text":
        return Shown(textless_view(texts), lambda text, start, end: None, False)
    redact = Pseudonyms(redactor, texts, names)
    return Shown(redacted_view(texts, redact), redact.part, False)


def people(rows: Sequence[Row]) -> dict[int, list[str]]:
    """Names of people by place, from metadata, and from user ids that are names."""
    found: dict[int, list[str]] = {}
    for row in rows:
        metadata = json.loads(row["metadata"]) if row["metadata"] else {}
        named = names_of(metadata) if isinstance(metadata, dict) else []
        user = row["user_id"] or ""
        named += [user] if " " in user.strip() and not any(c.isdigit() for c in user) else []
        found.setdefault(row["place"], []).extend(named)
    return found


def examples(
    of: Selection, places: Sequence[int], privacy: Privacy, redactor: Redactor, choices: Choices
) -> list[Example]:
    """The conversations at these places, in their order. `is_own_id`: the shown id is the real id, not a hash."""
    said, events = _by_place(of, "messages", places), _by_place(of, "events", places)
    names = people(of.view.answer("report/example_names", places=list(places))) if privacy == "redacted" else {}
    criteria = _criteria(of)
    found: list[Example] = []
    for row in of.view.answer("report/example_conversations", places=list(places)):
        messages = said.get(row["place"], [])
        view = shown(privacy, [m["content"] for m in messages], redactor, names.get(row["place"], []))
        made = {
            "id": (identity := view.view.identity(row["conversation_id"])),
            "is_own_id": identity == row["conversation_id"],
            "day": row["day"].isoformat(),
            "score": row["score"],
            "messages": row["message_count"],
            "turns": _turns(messages, events.get(row["place"], []), view, choices),
            "judgment": _judgment(row, messages, view, criteria),
            "made": _made(row),
        }
        found.append(made)
    return found


def _by_place(of: Selection, what: str, places: Sequence[int]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in of.view.answer(f"report/example_{what}", places=list(places)):
        found.setdefault(row["place"], []).append(row)
    return found


def _criteria(of: Selection) -> dict[tuple[str, str], str]:
    rows = of.view.answer("report/criteria_in_words")
    return {(row["schema_version"], row["criterion"]): row["words"] for row in rows}


def _made(row: Row) -> dict[str, str]:
    tagged = f"{row['tag_model']} (prompt {row['tag_prompt'][:8]})" if row["tag_model"] else "nobody"
    schema = row["schema_version"] or row["judge_schema_version"] or "none"
    return {"tagged": tagged, "judged": row["judge_model"] or "nobody", "schema": schema}


def _turns(messages: Sequence[Row], events: Sequence[Row], view: Shown, choices: Choices) -> list[Example]:
    """Messages with events; every message where all words are shown."""
    found: list[Example] = []
    for message in messages:
        own = [event for event in events if event["position"] == message["position"]]
        if own or view.has_messages:
            found.append(
                {
                    "position": message["position"],
                    "role": message["role"],
                    "parts": _parts(message["content"], own, view),
                    "events": [_event(event, view, choices) for event in own],
                }
            )
    return found


def _event(event: Row, view: Shown, choices: Choices) -> Example:
    known = choices.get((event["schema_version"], event["role"], event["written"]), {})
    return {
        "key": event_key(event["kind"]),
        "type": event["event_type"],
        "properties": shown_properties(json.loads(event["properties"]), known, view.view.text),
        "because": view.view.text(event["because"] or ""),
    }


def event_key(kind: int) -> str:
    """The key of a kind of event in the page."""
    return f"event:{kind}"


def _parts(text: str, events: Sequence[Row], view: Shown) -> list[tuple[str, list[int]]]:
    """The message cut where quotes begin and end, each piece with the events that quote it."""
    quotes = [(e["quote_start"], e["quote_end"], n) for n, e in enumerate(events) if e["quote_start"] is not None]
    edges = sorted({0, len(text), *(edge for start, end, _ in quotes for edge in (start, end))})
    parts: list[tuple[str, list[int]]] = []
    for start, end in pairwise(edges):
        quoted = [n for first, last, n in quotes if first <= start and end <= last]
        piece = view.quote(text, start, end) if quoted or view.has_messages else ""
        if piece:
            parts.append((piece, quoted))
        elif piece == "" and parts and parts[-1][1]:
            parts.append((" … ", []))
    return parts


def _judgment(
    row: Row, messages: Sequence[Row], view: Shown, criteria: Mapping[tuple[str, str], str]
) -> Example | None:
    if row["judge_outcome"] != "ok":
        return None
    verdicts, dealbreakers = json.loads(row["verdicts"]), json.loads(row["dealbreakers"])
    findings = [(key, found["verdict"], found) for key, found in verdicts.items()]
    findings += [(key, "hit" if found["hit"] else "not hit", found) for key, found in dealbreakers.items()]
    return {
        "because": view.view.text(row["because"] or ""),
        **({"intent": _intent(row, messages, view)} if row["intent_delivered"] else {}),
        "findings": [
            {
                "criterion": criteria.get((row["judge_schema_version"], key)) or key,
                "verdict": verdict,
                "because": view.view.text(found["because"]),
                "quote": _quoted(found["quote"], messages, view),
            }
            for key, verdict, found in findings
        ],
    }


def _intent(row: Row, messages: Sequence[Row], view: Shown) -> Example:
    """The user's purpose, as far as text may be shown, and whether it was delivered."""
    wanted, quote = view.view.text(row["intent"] or ""), _quoted(row["intent_quote"], messages, view)
    return {"wanted": wanted, "delivered": row["intent_delivered"], "quote": quote}


def _quoted(quote: str | None, messages: Sequence[Row], view: Shown) -> str | None:
    if not quote:
        return None
    for message in messages:
        start = message["content"].find(quote)
        if start >= 0:
            return view.quote(message["content"], start, start + len(quote))
    return None
