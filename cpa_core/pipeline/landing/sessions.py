"""Conversations identified by a user's id alone: one for each user, or one for each session between silences."""

from datetime import date

from cpa_core.pipeline.assistant import Assistant
from cpa_core.store.database import Transaction

GAP = "session_gap"


def is_other_gap(assistant: Assistant) -> bool:
    """Whether another gap is set than the one by which this home is cut."""
    asked = assistant.settings.session_gap
    if asked is None or not assistant.store.exists():
        return False
    with assistant.store.reading() as view:
        return asked != _gap(view)


def note_users(transaction: Transaction) -> None:
    """Note the users of the fresh objects' conversations, before and after the objects are replaced."""
    transaction.answer("landing/touch_users_of_objects")


def cut_sessions(transaction: Transaction, asked: int | None) -> int:
    """Name the conversations of these users, and of all when another gap is asked for; the gap in minutes, 0 none."""
    gap = before = _gap(transaction)
    if asked is not None and asked != before:
        gap = asked
        transaction.answer("landing/forget_setting", name=GAP)
        transaction.insert("settings_fixed", [{"name": GAP, "value": str(gap)}])
        transaction.answer("landing/all_users")
    if transaction.answer("landing/has_users"):
        _touch_conversations(transaction)
        transaction.answer("landing/sessions_of_users", gap=gap)
        _touch_conversations(transaction)
    return gap


def spanning(transaction: Transaction, zone: str) -> dict[str, tuple[date, date]]:
    """Return the touched user conversations that span days, with their first and last day."""
    if not transaction.answer("landing/has_users"):
        return {}
    rows = transaction.answer("landing/spanning_users", zone=zone)
    return {row["conversation_id"]: (row["first"], row["last"]) for row in rows}


def _gap(view: Transaction) -> int:
    rows = view.answer("landing/value_set", name=GAP)
    return int(rows[0]["value"]) if rows else 0


def _touch_conversations(transaction: Transaction) -> None:
    transaction.answer("landing/touch_users")
