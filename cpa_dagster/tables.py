"""The tables behind the assets: their columns, read from the store's migrations, and the lineage of each column."""

import dagster as dg

from cpa_core.store.columns import COLUMNS
from cpa_core.store.reference import columns_by_table
from cpa_dagster.resources import Pipeline

TABLES = {"event_schema": "event_schemas"}
"""Tables whose name differs from the asset's."""

Sources = dict[str, tuple[tuple[str, str], ...]]
"""For a column, the assets and columns that it is made from."""

_CONVERSATION: Sources = {
    "day": (("raw_conversations", "day"),),
    "conversation_id": (("raw_conversations", "conversation_id"),),
    "content_hash": (("raw_conversations", "content_hash"),),
    "schema_version": (("event_schema", "version"),),
}

LINEAGE: dict[str, Sources] = {
    "raw_conversations": {"day": (("landed_files", "days"),)},
    "tagged_events": {
        **{name: _CONVERSATION[name] for name in ("day", "conversation_id", "schema_version")},
        "event_type": (("event_schema", "yaml"),),
        "properties": (("event_schema", "yaml"),),
    },
    "judge_scores": {
        **_CONVERSATION,
        "score": (("event_schema", "yaml"),),
        "verdicts": (("event_schema", "yaml"),),
    },
    "upload_receipts": {
        "day": (("tagged_events", "day"), ("judge_scores", "day")),
        "event_id": (("tagged_events", "event_id"), ("judge_scores", "conversation_id")),
        "event_name": (("tagged_events", "event_type"),),
        "payload_hash": (
            ("tagged_events", "properties"),
            ("tagged_events", "schema_version"),
            ("judge_scores", "score"),
        ),
    },
}


def described(pipeline: Pipeline, name: str) -> dict[str, object]:
    """The metadata of an asset's definition: columns, lineage, table and home."""
    deps = {
        column: [dg.TableColumnDep(pipeline.key(asset), of) for asset, of in sources]
        for column, sources in LINEAGE.get(name, {}).items()
    }
    return {
        "dagster/column_schema": columns_of(TABLES.get(name, name)),
        **({"dagster/column_lineage": dg.TableColumnLineage(deps)} if deps else {}),
        "dagster/table_name": TABLES.get(name, name),
        "home": str(pipeline.assistant.settings.home),
    }


def columns_of(table: str) -> dg.TableSchema:
    """The columns of a table of the store, from its migrations."""
    return dg.TableSchema([_column(name, kind) for name, kind in columns_by_table().get(table, [])])


def _column(name: str, kind: str) -> dg.TableColumn:
    return dg.TableColumn(name, kind.lower(), COLUMNS.get(name))
