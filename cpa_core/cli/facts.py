"""The result of each command, as `--json` prints it. docs/reference/output.schema.json is made from these values."""

from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from cpa_core.cli.gold_facts import (
    DrawFacts,
    GoldErrorsFacts,
    GoldExportFacts,
    GoldImportFacts,
    GoldPlanFacts,
    GoldProbeFacts,
    GoldSameFacts,
    GoldStatusFacts,
)
from cpa_core.cli.topic_facts import IssueFacts, IssuesFacts, NamesFacts, PromotionFacts, TopicRenamedFacts, TopicsFacts
from cpa_core.models import Value
from cpa_core.pipeline import (
    Drift,
    Expected,
    Exported,
    Landed,
    Preview,
    Quote,
    QuoteLine,
    Reconciled,
    Rejects,
    Reported,
    Restored,
    Stale,
)
from cpa_core.pipeline.compact import Compacted
from cpa_core.pipeline.forgetting.forget import Forgetting
from cpa_core.pipeline.forgetting.retention import Outdated
from cpa_core.pipeline.health import HealthCheck
from cpa_core.pipeline.model_check import ModelCheck
from cpa_core.pipeline.overview import ConversationList, LandedDay, RunSpend
from cpa_core.pipeline.stores import StoreCopied, StoreKept
from cpa_core.pipeline.upgrade import Upgrade
from cpa_core.schema import Change, Finding


class Done(NamedTuple):
    """How a command ended: its exit status, and what it found."""

    status: int
    facts: Value


class DayFacts(Value):
    """One day. `spend` is in US dollars, null where a price is unknown; `mean_score` is null where nothing is judged.

    `receipts` counts accepted events at all destinations, `retryable` the failures that the next run tries again.
    """

    day: date
    conversations: int
    messages: int
    events: int
    judged: int
    mean_score: float | None
    spend: float | None
    receipts: int
    undelivered: int
    failures: int
    retryable: int


class SpendFacts(Value):
    """Calls, tokens and cost in US dollars of one task by one model in one lane of this home.

    Null is unknown; `reused` and `questions` count the questions that the ledger answered, and all of them, on the
    first lane of a task and model.
    """

    task: str
    model: str
    lane: str
    calls: int
    failed_calls: int
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    cost: float | None
    conversations: int
    reused: int | None
    questions: int | None


class FailureFacts(Value):
    """One question that failed. `waits_until`: the earliest retry; null if the next run asks it, or no run does."""

    day: date
    stage: str
    conversation_id: str
    reason: str
    detail: str
    retryable: bool
    attempts: int | None
    waits_until: datetime | None = None


class DemoHome(Value):
    """One example after the demo."""

    name: str
    home: Path
    days: tuple[DayFacts, ...]
    questions: int
    events_sent: int


class DemoFacts(Value):
    """`cpa demo`."""

    homes: tuple[DemoHome, ...]


class LandFacts(Value):
    """`cpa land`. `rejects` are those of the newest landing, null where it rejected nothing."""

    landed: Landed
    rejects: Rejects | None


class ExplainFacts(Value):
    """`cpa land --explain`: the format recognised in a file. It holds no message text."""

    file: str
    holds: str
    format: str
    title: str
    sign: str
    keys: tuple[str, ...]
    conversations: int
    messages: dict[str, int]
    rejected: int
    notes: tuple[str, ...]


class QuoteFacts(Value):
    """`cpa quote`. `retag` quotes the days of another schema, null where there is none or they are in `quote`.

    `vectors` quotes the texts that `cpa topics find` would ask about, null without CPA_EMBEDDINGS.
    """

    quote: Quote
    cost: float | None
    retag: Quote | None
    expected: tuple[Expected, ...]
    vectors: QuoteLine | None = None


class RunFacts(Value):
    """`cpa run`. `seconds` is the time of the whole command, `outbox` null where no event is in a file."""

    landed: Landed | None
    days: tuple[DayFacts, ...]
    done: tuple[date, ...]
    held: dict[str, str]
    waiting: tuple[date, ...]
    questions: int
    reused: int
    events_sent: int
    spend: RunSpend
    seconds: float
    outbox: Path | None
    failures: tuple[FailureFacts, ...]


class PreviewFacts(Value):
    """`cpa run --dry-run`, without the samples. `quote` is null where schema or model are not known."""

    previews: tuple[Preview, ...]
    quote: Quote | None = None


class DueDay(Value):
    """A day that needs work, and why."""

    day: date
    reason: str


class StatusFacts(Value):
    """`cpa status`. `to_do` are the lines that it begins with: what needs a hand, and the command for it."""

    home: Path
    to_do: tuple[str, ...]
    files: int
    files_removed: int
    records: int
    rejected: dict[str, int]
    landed: tuple[LandedDay, ...]
    days: tuple[DayFacts, ...]
    due: tuple[DueDay, ...]
    spend: tuple[SpendFacts, ...]
    failures: tuple[FailureFacts, ...]
    receipts: tuple[Reconciled, ...]
    stale: tuple[Stale, ...]
    drift: tuple[Drift, ...]


class ConversationsFacts(Value):
    """`cpa conversations`."""

    listed: ConversationList


class ShowFacts(Value):
    """`cpa show`: one conversation and its texts. `criteria` maps the id of each criterion to its text."""

    conversation_id: str
    day: date
    user_id: str | None
    messages: tuple[dict[str, Any], ...]
    events: tuple[dict[str, Any], ...]
    judgment: dict[str, Any] | None
    criteria: dict[str, str]


class ReportFacts(Value):
    """`cpa report`."""

    report: Reported


class ExportFacts(Value):
    """`cpa export`."""

    files: tuple[Exported, ...]


class RestoreFacts(Value):
    """`cpa restore`."""

    restored: Restored


class ModelFacts(Value):
    """`cpa check model`."""

    check: ModelCheck


class SchemaFacts(Value):
    """`cpa schema check`. `version` and `types` are null where the schema cannot be read."""

    file: Path
    version: str | None
    types: dict[str, int] | None
    goals: int | None
    findings: tuple[Finding, ...]


class DiffFacts(Value):
    """`cpa schema diff`. `quote` is null where nothing is stored or no model is named."""

    older: str
    newer: str
    changes: tuple[Change, ...]
    quote: Quote | None


class ProposeFacts(Value):
    """`cpa schema propose`. `quoted` is the cost quoted before it began, in US dollars; null is unknown."""

    file: Path
    types: int
    conversations: int
    quoted: float | None
    spend: RunSpend


class AcceptFacts(Value):
    """`cpa schema accept`. `days` now go to the destinations."""

    versions: tuple[str, ...]
    days: tuple[date, ...]
    before: Path | None


class InitFacts(Value):
    """`cpa init`. `missing` are the keys and addresses that are still to be filled in, `next` the next commands."""

    settings: Path
    schema_file: Path
    proposed: bool
    missing: tuple[str, ...]
    next: tuple[str, ...]


class CompactFacts(Value):
    """`cpa compact`."""

    compacted: Compacted


class UpgradeFacts(Value):
    """`cpa upgrade`."""

    upgrade: Upgrade


class StoreCopyFacts(Value):
    """`cpa store copy`."""

    copied: StoreCopied


class StoreUpkeepFacts(Value):
    """`cpa store upkeep`."""

    kept: StoreKept


class DoctorFacts(Value):
    """`cpa doctor`."""

    checks: tuple[HealthCheck, ...]


class ForgetFacts(Value):
    """`cpa forget`.

    `requests` are the deletion requests to send to destinations and vendors; nothing was removed unless `done`.
    """

    found: Forgetting
    done: bool
    requests: tuple[str, ...]


class OutdatedFacts(Value):
    """`cpa forget --older-than`. Nothing was removed unless `done`."""

    found: Outdated
    done: bool


FACTS: dict[str, type[Value]] = {
    "demo": DemoFacts,
    "land": LandFacts,
    "land --explain": ExplainFacts,
    "quote": QuoteFacts,
    "run": RunFacts,
    "run --dry-run": PreviewFacts,
    "status": StatusFacts,
    "conversations": ConversationsFacts,
    "show": ShowFacts,
    "report": ReportFacts,
    "export": ExportFacts,
    "restore": RestoreFacts,
    "check model": ModelFacts,
    "schema check": SchemaFacts,
    "schema diff": DiffFacts,
    "schema propose": ProposeFacts,
    "schema accept": AcceptFacts,
    "doctor": DoctorFacts,
    "compact": CompactFacts,
    "upgrade": UpgradeFacts,
    "forget": ForgetFacts,
    "forget --older-than": OutdatedFacts,
    "init": InitFacts,
    "gold draw": DrawFacts,
    "gold import": GoldImportFacts,
    "gold export": GoldExportFacts,
    "gold status": GoldStatusFacts,
    "gold plan": GoldPlanFacts,
    "gold same": GoldSameFacts,
    "gold errors": GoldErrorsFacts,
    "gold probe": GoldProbeFacts,
    "topics find": TopicsFacts,
    "topics list": TopicsFacts,
    "topics rename": TopicRenamedFacts,
    "topics describe": NamesFacts,
    "topics promote": PromotionFacts,
    "issues list": IssuesFacts,
    "issues show": IssueFacts,
    "issues set": IssueFacts,
    "store copy": StoreCopyFacts,
    "store upkeep": StoreUpkeepFacts,
}
"""The value that each command prints with `--json`."""
