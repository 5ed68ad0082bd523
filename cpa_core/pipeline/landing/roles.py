"""Messages of roles that nobody tags: how many, which roles, and the flag that names whose words they are."""

from collections import Counter
from collections.abc import Iterable, Mapping

from cpa_core.models import Conversation
from cpa_core.pipeline.assistant import Assistant
from cpa_core.sources import roles

SHOWN = 5
LONGEST = 40
"""The most characters of a role: a longer text is no role, and may be a message."""


def roles_not_tagged(assistant: Assistant) -> dict[str, int]:
    """Messages that count in the store, by role, of roles that are neither tagged nor named as `other`."""
    if not assistant.store.exists():
        return {}
    known = roles.known(assistant.settings.roles)
    with assistant.store.reading() as view:
        rows = view.answer("landing/roles_not_tagged", known=known)
    return {row["role"]: row["messages"] for row in rows}


def untagged_roles(assistant: Assistant, conversations: Iterable[Conversation]) -> dict[str, int]:
    """Messages of these conversations, by role, of roles that are neither tagged nor named as `other`."""
    known = set(roles.known(assistant.settings.roles))
    return dict(Counter(one.role for each in conversations for one in each.messages if one.role not in known))


def roles_warning(found: Mapping[str, int]) -> str:
    """Return a warning about these roles and the flag that maps them; empty if there are none."""
    if not found:
        return ""
    ordered = sorted(found.items(), key=lambda one: (-one[1], one[0]))
    named = [f"{_shown(role)} ({count:,})" for role, count in ordered[:SHOWN]]
    more = [f"{len(found) - SHOWN:,} more"] if len(found) > SHOWN else []
    first = _shown(ordered[0][0])
    return (
        f"{sum(found.values()):,} messages have roles that are not tagged: {', '.join(named + more)}; say whose words "
        f'they are: --roles "user={first}|...,assistant=..." (CPA_ROLES), or other={first} to leave them out'
    )


def _shown(role: str) -> str:
    return role if len(role) <= LONGEST else f"a text of {len(role)} characters"
