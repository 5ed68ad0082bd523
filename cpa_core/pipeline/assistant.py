"""The context of every stage: the settings, the store, the clock, the providers and a way to show progress."""

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import BoundedSemaphore
from typing import Any
from zoneinfo import ZoneInfo

from cpa_core.errors import SettingsError
from cpa_core.llm import BatchVendor, Limiter, ModelName, Provider, Timer, Watch
from cpa_core.models import Value
from cpa_core.pipeline.abilities import remembering
from cpa_core.providers import batch_vendor, default_model, embedder, model_name, provider
from cpa_core.settings import Settings
from cpa_core.settings.addresses import is_database
from cpa_core.sources import File, Listing, databases, listing
from cpa_core.sources.contents import Content
from cpa_core.sources.objects import chosen
from cpa_core.store import Store

Advance = Callable[[], None]
Progress = Callable[[str, int], AbstractContextManager[Advance]]
"""Shows a stage's progress out of a total; call the advance once for each finished item."""


@contextmanager
def silent(stage: str, total: int) -> Iterator[Advance]:
    """No progress shown."""
    yield lambda: None


@dataclass
class Pacing:
    """State that the stages of a run share: its start by `timer`, its slots, and for each model a limiter and a watch.

    Calls use `timer` to wait for their pace, for a retry, and after a refusal.

    Providers are shared too, by model and settings: reading the certificates for one takes a tenth of a second.
    """

    began: dict[str, float] = field(default_factory=dict)
    slots: dict[str, BoundedSemaphore] = field(default_factory=dict)
    limiters: dict[tuple[str, str], Limiter] = field(default_factory=dict)
    watches: dict[tuple[str, str], Watch] = field(default_factory=dict)
    providers: dict[tuple[ModelName, tuple[object, ...]], Provider] = field(default_factory=dict)
    vendors: dict[tuple[str, tuple[object, ...]], BatchVendor] = field(default_factory=dict)
    timer: Timer = field(default_factory=Timer)


@dataclass(frozen=True)
class Assistant:
    """One assistant: its settings and its store, with the effects that a test or Dagster may replace.

    `most_conversations` is how many conversations of a day are asked about at most, the first first: for a trial.
    """

    settings: Settings
    store: Store
    progress: Progress = silent
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    provider: Callable[[ModelName], Provider] | None = None
    s3: Callable[[], Any] | None = None
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    pacing: Pacing = field(default_factory=Pacing)
    most_conversations: int | None = None

    @classmethod
    def of(cls, settings: Settings, progress: Progress = silent) -> "Assistant":
        """An assistant with the store in its home."""
        return cls(settings=settings, store=Store.of(settings), progress=progress)

    def model(self, task: str) -> ModelName:
        """The model for tagging, judging or proposing. Raises SettingsError."""
        own = {"judge": self.settings.judge_model, "propose": self.settings.schema_model}
        written = own.get(task) or self.settings.model
        return model_name(written) if written else default_model(self.settings)

    def listing(self, landed: Sequence[databases.LandedRange] = ()) -> Listing:
        """List the objects of the source; a database lists the ranges after those that `landed`.

        Raises SettingsError when none is named, SourceError.
        """
        if not self.settings.source:
            raise SettingsError("no source is named: cpa run SOURCE, or CPA_SOURCE")
        if is_database(self.settings.source):
            return databases.listing(databases.Place.of(self.settings, self.now()), landed)
        found = listing(self.settings.source, self.settings.aws, self.s3)
        return chosen(found, self.settings.include, self.settings.exclude)

    def file(self, name: str, content: Content) -> File:
        """Return a file with the settings about its format."""
        given = self.settings
        return File(name, content, given.names, given.form, ZoneInfo(given.assumed_zone), given.roles, given.times)

    @property
    def reading(self) -> str:
        """Return the settings that control how files are read, as JSON; empty if none is set."""
        given = self.settings
        zone = None if given.assumed_zone == "UTC" else given.assumed_zone
        named = {
            "map": dict(given.names),
            "format": given.form,
            "zone": zone,
            "roles": dict(given.roles),
            "times": given.times,
        }
        named = {key: value for key, value in named.items() if value}
        return json.dumps(named, sort_keys=True) if named else ""

    def provider_of(self, model: ModelName) -> Provider:
        """The provider of a model. Raises SettingsError when a key is missing."""
        if self.provider:
            return self.provider(model)
        key = model, self.settings.asking
        if key not in self.pacing.providers:
            self.pacing.providers[key] = remembering(self.store, self.now, model, provider(model, self.settings))
        return self.pacing.providers[key]

    def embedder_of(self, model: ModelName) -> Provider:
        """The vectors of texts by a model. Raises SettingsError when a key is missing, or its provider has none."""
        return self.provider(model) if self.provider else embedder(model, self.settings)

    def watch(self, model: ModelName) -> Watch:
        """Return the run's watch of a model's answers."""
        return self.pacing.watches.setdefault((self.run_id, str(model)), Watch(str(model)))

    def batches_of(self, provider: str) -> BatchVendor:
        """The batches of a provider. Raises SettingsError when a key is missing."""
        key = provider, self.settings.asking
        if key not in self.pacing.vendors:
            self.pacing.vendors[key] = batch_vendor(provider, self.settings)
        return self.pacing.vendors[key]


class Stage(Value):
    """The result of one stage on one day. Tokens and `cost`, in US dollars, are this run's own, null when unknown.

    `cost_per_conversation` is for those that were asked about. `reused` counts questions that were answered from the
    ledger, `share_reused` their share, null without questions. `folded` counts deviations in the answers that could be
    read all the same: names in another case, numbers in strings, damaged JSON. `quoted` is the price of the other
    questions by `cpa quote`, before they were asked. `waiting` counts questions that wait in batches: then nothing else
    was asked, and the day is as it was. `postponed` counts failed conversations that this run did not ask about,
    because their last counted failure was less than `CPA_GIVE_UP_HOURS` ago.
    """

    stage: str
    conversations: int
    done: int
    kept: int
    failures: int
    final_failures: int
    asked: int
    prompt_tokens: int | None = 0
    cached_tokens: int | None = 0
    completion_tokens: int | None = 0
    cost: float | None = 0.0
    cost_per_conversation: float | None = None
    reused: int = 0
    quoted: float | None = 0.0
    share_reused: float | None = None
    folded: int = 0
    waiting: int = 0
    postponed: int = 0
