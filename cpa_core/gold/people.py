"""People's current labels: those still valid, their units, and people's agreement on each label."""

import json
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence

from cpa_core.gold.agreement import PeopleAgreement, people_agreement
from cpa_core.gold.reviews import ADJUDICATED, definition_of
from cpa_core.models import EventSchema, digest, is_person
from cpa_core.schema import parse
from cpa_core.store.database import Row, Transaction


def schema_in_force(view: Transaction) -> EventSchema | None:
    """The schema in force as it is recorded; none before the first."""
    rows = view.answer("schema/versions")
    return parse(rows[-1]["yaml"], f"schema {rows[-1]['version']}")[0] if rows else None


def know_gold(view: Transaction, schema: EventSchema) -> None:
    """Create the table of people's current labels, which the questions about gold read."""
    view.answer("gold/now", valid=json.dumps(meanings(view, schema)), adjudicated=ADJUDICATED)


def meanings(view: Transaction, schema: EventSchema) -> list[str]:
    """Return the valid meanings of labels: kind, key and digest of each definition, and those declared the same."""
    current = [("event", kind.key, definition_of(kind)) for kind in schema.event_types]
    criteria_now = (("criterion", schema.criteria.goals()), ("dealbreaker", schema.criteria.dealbreakers_by_id()))
    current += [(kind, words, digest(words)[:12]) for kind, found in criteria_now for words in found.values()]
    same = {(row["key"], row["newer"], row["older"]) for row in view.answer("gold/meanings_joined")}
    found = list(current)
    for kind, key, definition in found:  # grows while it is read: what an older meaning was the same as
        found += [
            (kind, key, old) for k, new, old in same if (k, new) == (key, definition) and (kind, key, old) not in found
        ]
    return [" ".join(one) for one in found]


def people_on_labels(view: Transaction, valid: Sequence[str]) -> dict[tuple[str, str], PeopleAgreement]:
    """Return people's agreement on each label, by kind and key."""
    rated: dict[tuple[str, str], dict[str, dict[Hashable, dict[str, bool]]]] = {}
    for row in view.answer("gold/ratings", valid=json.dumps(list(valid)), adjudicated=ADJUDICATED):
        units = rated.setdefault((row["kind"], row["key"]), {})
        item = units.setdefault(unit_of(row), {}).setdefault((row["conversation_id"], row["message_id"]), {})
        item[row["reviewer"]] = row["present"]
    return {label: people_agreement(units.values()) for label, units in rated.items()}


def unit_of(row: Row) -> str:
    """Return the unit of a row: its user, if that is a person, else its conversation."""
    return f"user {row['user_id']}" if is_person(row["user_id"]) else f"conversation {row['conversation_id']}"


def rows_by(rows: Iterable[Row], name: str) -> dict[str, list[Row]]:
    """The rows by the value of one of their names."""
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[name]].append(row)
    return found
