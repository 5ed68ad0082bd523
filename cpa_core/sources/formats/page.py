"""The page of every format, docs/formats.md, made from the registry."""

from collections.abc import Iterable

from cpa_core.sources.formats import FORMATS
from cpa_core.sources.formats.form import Format

HEAD = """# Formats

`cpa land`, `run` and `quote` read these formats. A file is recognised by the keys of its first records, whatever their
order and layout: JSON, JSON Lines, lists, pages such as `{"data": [...]}`, tables (CSV, TSV, Parquet, workbooks), each
also as `.gz` or in a `.zip`. `--format NAME` decides where the content does not. `cpa land --explain FILE` shows what
is recognised in a file and why, and the first conversation as it would land.

This page is made from the registry (`cpa_core/sources/formats`), and a test keeps it current.

- **Recognised by**: keys that a record has. `a.b` is a key inside another, `[]` a list, `*` any key, `=` a value, `!`
  its absence. One matching line is enough. If several formats match, the one with most matching keys is taken.
- **A record** is a conversation, a call of a model that may repeat what was said before, or one message.
- **Not speech**: what lands under roles of its own (system, tool, tool_call, reasoning, attachment) or not at all.
- Records inside the lines of a log or the messages of a queue are taken out, where no format fits the file as it is.
  They are objects, or JSON in text, under a field such as `message`, `log`, `body`, `jsonPayload`, `textPayload`,
  `properties`, `_source` or `_raw`. So write CloudWatch Logs (also its export to S3, Logs Insights and Firehose),
  Docker, Kubernetes, Fluent Bit, Vector, Google Cloud Logging, Azure Monitor, Datadog, Elasticsearch, Loki, Splunk,
  SQS, Kinesis, Airbyte and Debezium. Exports of DynamoDB and Firestore are read too, whose values bear their types. A
  line of text that ends with JSON is such a line as well. A record without a time takes that of its line. Other lines
  of the log are passed over; one whose JSON is cut off is a reject.
- Where our words stand elsewhere, `--map` names them by path (`--map content=message.text,timestamp=meta.createdAt`),
  and `--roles` says whose words a role's are.
"""
PARTS = (
    ("Conversation id", "ids"),
    ("User", "users"),
    ("Times", "times"),
    ("Speech", "speech"),
    ("Not speech", "silent"),
)


def page() -> str:
    """The text of the page."""
    return "\n".join([HEAD, *_index(FORMATS.values()), "", *(_section(form) for form in FORMATS.values())])


def _index(forms: Iterable[Format]) -> list[str]:
    lines = ["| format | `--format` | a record is |", "|---|---|---|"]
    return lines + [f"| [{form.title}](#{form.name}) | `{form.name}` | a {form.kind} |" for form in forms]


def _source(docs: str) -> str:
    return f"<{docs}>" if "://" in docs else f"[{docs}]({docs.removeprefix('docs/')})"


def _section(form: Format) -> str:
    signs = [f"  - `{sign}`" for sign in form.signs] or ["  - the ending of the file's name and its columns"]
    about = [f"- {title}: {getattr(form, field)}" for title, field in PARTS if getattr(form, field)]
    lines = [f"## {form.name}", "", f"{form.title}. A record is a {form.kind}. Source: {_source(form.docs)}", ""]
    return "\n".join([*lines, "- Recognised by:", *signs, *about, ""])
