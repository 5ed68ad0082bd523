"""The results of the commands `cpa gold …`, as `--json` prints them."""

from cpa_core.gold.changing import AgreementChange
from cpa_core.gold.drawing import Draw
from cpa_core.gold.trust import Trust
from cpa_core.models import Value
from cpa_core.pipeline.gold.exchange import ExportedGold, Imported
from cpa_core.pipeline.gold.planning import Planned
from cpa_core.pipeline.gold.probing import ProbeQuote, ProbeResult
from cpa_core.pipeline.gold.teaching import LabelConfusion


class DrawFacts(Value):
    """`cpa gold draw`."""

    draw: Draw


class GoldImportFacts(Value):
    """`cpa gold import`."""

    imported: Imported


class GoldExportFacts(Value):
    """`cpa gold export`."""

    exported: ExportedGold


class DrawRead(Value):
    """A draw: how many conversations or messages it holds, and how many of them somebody has read."""

    draw_id: str
    items: int
    read: int


class GoldStatusFacts(Value):
    """`cpa gold status`.

    `changes` compare labels before and after the last change of model, prompt or schema with people's. `unread` counts
    lines of the home's labels that cannot be read and are left out.
    """

    draws: tuple[DrawRead, ...]
    labels: tuple[Trust, ...]
    changes: tuple[AgreementChange, ...]
    unread: int


class GoldPlanFacts(Value):
    """`cpa gold plan`."""

    plan: Planned


class GoldSameFacts(Value):
    """`cpa gold same`. `definitions` counts the earlier definitions that now mean the same."""

    label: str
    definitions: int


class GoldProbeFacts(Value):
    """`cpa gold probe`. `result` is null for a dry run."""

    quote: ProbeQuote
    result: ProbeResult | None


class GoldErrorsFacts(Value):
    """`cpa gold errors`."""

    confusions: tuple[LabelConfusion, ...]
