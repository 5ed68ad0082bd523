"""`cpa doctor`: checks everything that a run needs; each line is ok or names its remedy."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from cpa_core.cli.display import bar
from cpa_core.cli.facts import DoctorFacts, Done
from cpa_core.cli.screen import say
from cpa_core.pipeline import Assistant
from cpa_core.pipeline.health import HealthCheck, health
from cpa_core.settings import TABLE, Settings, environment, origins


def doctor(given: Settings, texts: Mapping[str, str] | None, *, ask: bool) -> Done:
    """Run every check; the exit status is 2 if a person must change something."""
    found = []
    named = environment(texts).get("DAGSTER_HOME")
    for one in health(Assistant.of(given, bar), ask=ask, event_log=Path(named) if named else None):
        found.append(one)
        say(*_lines(one))
    settings = list(_settings(given, texts))
    say(*(line for one in settings for line in _lines(one)))
    wrong = [one for one in found if one.state == "error"]
    advice = sum(one.state == "warning" for one in found)
    say(f"{len(wrong)} to mend, {advice} to look at, {len(found) - len(wrong) - advice} well")
    return Done(2 if wrong else 0, DoctorFacts(checks=(*found, *settings)))


def _lines(one: HealthCheck) -> Iterator[str]:
    yield f"{one.state}: {one.name}: {one.found}"
    if one.remedy:
        yield f"    {one.remedy}"


def _settings(given: Settings, texts: Mapping[str, str] | None) -> Iterator[HealthCheck]:
    """The settings that are set and where they stand; a secret's value is not shown."""
    named = origins(texts)
    for line in TABLE.values():
        where = next((named[name] for name in (line.name, *line.setting.also) if name in named), "")
        is_flag = line.path in given.model_fields_set and not where
        if where or is_flag:
            value = "set" if line.secret else given.written(line.name)
            yield HealthCheck(name=line.name, state="ok", found=f"{value} (from {where or 'a flag'})")
