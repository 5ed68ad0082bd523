"""The quality of labels and the effect of reading more, computed in the background, so that no page waits for it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Condition, Thread

from cpa_core import insights
from cpa_core.errors import CpaError
from cpa_core.gold.people import schema_in_force
from cpa_core.gold.quality import trust
from cpa_core.gold.trust import Trust
from cpa_core.models import EventSchema
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.gold.ledger import gold_folder, merge_gold
from cpa_core.pipeline.gold.planning import NextWidth, next_width
from cpa_core.pipeline.gold.quality import record_use
from cpa_core.pipeline.gold.teaching import LabelConfusion, confusions_of

NEWER, FIRST = 0.15, 5.0
"""Seconds that a page waits for newer figures, and for the first ones."""
SHARE_OF_TIME, LONGEST_GAP = 0.02, 60.0
"""The most of the time that recomputing takes, and the longest gap in seconds between two computations.

A run cannot write while figures are computed, so the time that counts is that of the clock.
"""


@dataclass(frozen=True)
class LabelFigures:
    """The figures of every label at a time. `widths` are by the key of an event type, `confusions` by its name.

    `wrong` is the reason if there are no figures.
    """

    at: datetime
    trust: Sequence[Trust] = ()
    widths: Mapping[str, NextWidth] = field(default_factory=dict)
    confusions: Mapping[str, Sequence[LabelConfusion]] = field(default_factory=dict)
    wrong: str = ""

    def of(self, key: str) -> Trust | None:
        """Return the trust in an event type; null while nobody has labelled anything."""
        return next((one for one in self.trust if one.key == key), None)


class FigureDesk:
    """The newest figures of a home, renewed in a thread if somebody looks at them after a change."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
        self._turn = Condition()
        self._newest: LabelFigures | None = None
        self._mark: object = None
        self._is_counted = False
        self._is_busy = False
        self._next_at = 0.0

    def newest(self, patience: float, wait_first: float | None = None) -> LabelFigures | None:
        """Return the figures after waiting at most `patience` seconds for newer ones; null if there are none yet.

        `wait_first` is the wait in seconds if there are none.
        """
        mark = self._marks()
        with self._turn:
            is_due = mark != self._mark and (time.monotonic() >= self._next_at or self._newest is None)
            if is_due and not self._is_busy:
                self._is_busy = True
                Thread(target=self._renew, args=(mark,), daemon=True).start()
            wait = patience if self._newest is not None or wait_first is None else wait_first
            self._turn.wait_for(lambda: not self._is_busy, wait)
            return self._newest

    def is_current(self) -> bool:
        """Return whether no review and no data was stored since the newest figures."""
        return self._mark == self._marks()

    def _marks(self) -> object:
        """Return marks that change with new data: sizes and times of people's files, and the store's last write."""
        folder = gold_folder(self._assistant.settings)
        paths = [*(folder / f"{name}.jsonl" for name in ("reviews", "draws", "meanings")), self._assistant.store.path]
        return tuple((path.stat().st_size, path.stat().st_mtime_ns) if path.exists() else None for path in paths)

    def _renew(self, mark: object) -> None:
        began = time.monotonic()
        found = LabelFigures(self._assistant.now(), wrong="the figures cannot be computed: see the command's output")
        try:
            found = figures(self._assistant)
            if found.trust and not self._is_counted:
                self._is_counted = True
                record_use(self._assistant, "workbench", found.trust)
            mark = self._marks()  # merging people's reviews has written to the store
        except CpaError as wrong:
            found = LabelFigures(self._assistant.now(), wrong=str(wrong))
        finally:
            with self._turn:
                self._newest, self._mark, self._is_busy = found, mark, False
                gap = min(LONGEST_GAP, (time.monotonic() - began) / SHARE_OF_TIME)
                self._next_at = time.monotonic() + gap
                self._turn.notify_all()


def figures(assistant: Assistant) -> LabelFigures:
    """The figures as they are now. Raises StoreBusy."""
    merge_gold(assistant)
    whole = insights.whole(assistant.store) if assistant.store.exists() else None
    if whole is None:
        return LabelFigures(assistant.now())
    with insights.selected(assistant.store, whole) as of:
        schema = schema_in_force(of.view)
        if schema is None:
            return LabelFigures(assistant.now())
        found = trust(of)
        widths = {kind.key: next_width(of, kind) for kind in schema.event_types}
        confusions = _confusions(of, schema) if found else {}
    known = {key: one for key, one in widths.items() if one is not None}
    return LabelFigures(assistant.now(), found, known, confusions)


def _confusions(of: insights.Selection, schema: EventSchema) -> dict[str, list[LabelConfusion]]:
    """The confusions of the teaching part by the name of their type. `trust` has made the table that they read."""
    found: dict[str, list[LabelConfusion]] = {kind.name: [] for kind in schema.event_types}
    for one in confusions_of(of.view.answer("gold/errors")):
        found.setdefault(one.label, []).append(one)
    return found
