"""The results of the commands `cpa topics …` and `cpa issues …`, as `--json` prints them."""

from cpa_core.insights.inbox import FollowedIssue
from cpa_core.models import Value
from cpa_core.pipeline.reporting.inbox import FixOutcome, IssueDay
from cpa_core.pipeline.topics.describing import NamedTopic, NamingQuote
from cpa_core.pipeline.topics.listing import TopicGroupRow, TopicRow
from cpa_core.pipeline.topics.placing import CorpusTopics
from cpa_core.pipeline.topics.promoting import Promotion


class TopicsFacts(Value):
    """The changes to each corpus (empty if topics were only listed), every topic by corpus and size, and the groups."""

    corpora: tuple[CorpusTopics, ...]
    topics: tuple[TopicRow, ...]
    groups: tuple[TopicGroupRow, ...]


class TopicRenamedFacts(Value):
    """A topic's new name, and its earlier one."""

    topic_id: str
    name: str
    earlier: str


class NamesFacts(Value):
    """`cpa topics describe`: the price, and with `--yes` each topic that the model was asked to name."""

    quote: NamingQuote
    named: tuple[NamedTopic, ...]


class PromotionFacts(Value):
    """`cpa topics promote`."""

    promotion: Promotion


class IssuesFacts(Value):
    """`cpa issues list`: the whole inbox, also what was set aside."""

    issues: tuple[FollowedIssue, ...]


class IssueFacts(Value):
    """`cpa issues show` and `set`. `days` are empty for `set`; `fix` is null for an issue that nobody called fixed."""

    issue: FollowedIssue
    days: tuple[IssueDay, ...]
    fix: FixOutcome | None
