"""The table of settings: what it refuses, what it generates, and that every other reader follows it."""

import os
import re
from datetime import date
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given as over
from hypothesis import strategies as st

from cpa_core.cli import main
from cpa_core.cli.flags import KNOWN, help_of
from cpa_core.errors import SettingsError
from cpa_core.pipeline import Assistant
from cpa_core.pipeline.budget import tariff
from cpa_core.settings import TABLE, Lane, SettingLine, changed, settings, shown
from cpa_core.settings.reference import dotenv_example, fields, page
from cpa_core.settings.table import ELSEWHERE, declared

ROOT = Path(__file__).parents[2]
CLOSED = [line for line in TABLE.values() if line.reader.choices]
WORTH = {
    "CPA_DUCKDB_MEMORY": "2GB",
    "CPA_MAP": "role=sender",
    "CPA_PHONE_REGIONS": "AT",
    "CPA_ALERTS": "https://alerts.example/a",
    "CPA_DAGSTER_URL": "https://dagster.example",
    "CPA_WORKBENCH_URL": "https://workbench.example",
    "CPA_REPORTS": "s3://bucket/reports/",
    "CPA_ROLES": "user=customer",
    "CPA_TIMEZONE": "Europe/Paris",
    "CPA_ASSUMED_ZONE": "Asia/Tokyo",
    "CPA_START_DATE": "2026-03-04",
    "CPA_LEAST_KAPPA": "0.4",
    "CPA_MOST_REJECTED": "2%",
}
"""A text for each setting whose type is not enough to make one."""


def text_for(line: SettingLine) -> str:
    """A text other than the default."""
    if line.reader.choices:
        return next(one for one in line.reader.choices if one != shown(line.default))
    is_number = isinstance(line.default, int | float) or "number" in line.reader.kind
    return WORTH.get(line.name) or ("7" if is_number else "word")


def distance_one(name: str) -> st.SearchStrategy[str]:
    """Names that one slip of the hand makes of a name: a letter left out, doubled, or two exchanged."""
    places = st.integers(len("CPA_"), len(name) - 2)
    slips = st.sampled_from(["out", "twice", "exchanged"])

    def slip(place: int, kind: str) -> str:
        if kind == "out":
            return name[:place] + name[place + 1 :]
        if kind == "twice":
            return name[:place] + name[place] + name[place:]
        return name[:place] + name[place + 1] + name[place] + name[place + 2 :]

    return st.builds(slip, places, slips)


OURS = [name for name in TABLE if name.startswith("CPA_")]


@over(st.sampled_from(OURS).flatmap(distance_one))
def test_a_misspelled_name_is_an_error_that_names_a_setting(name: str) -> None:
    if name in TABLE:
        return
    with pytest.raises(SettingsError, match=f"{name} is not a setting.*did you mean CPA_[A-Z_]+\\?"):
        settings({name: "5"})


@pytest.mark.parametrize(
    ("name", "meant"), [("CPA_BUDGTE", "CPA_BUDGET"), ("CPA_TIMEZON", "CPA_TIMEZONE"), ("CPA_LANES", "CPA_LANE")]
)
def test_the_setting_that_was_meant_is_named(name: str, meant: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is not a setting: did you mean {meant}\\?"):
        settings({name: ""})


def test_names_of_others_and_of_the_containers_are_no_error() -> None:
    assert settings({"PATH": "/bin", "POSTHOG_PERSONAL": "x", **dict.fromkeys(ELSEWHERE, "x")}) == settings({})


@pytest.mark.parametrize("line", CLOSED, ids=lambda line: line.name)
def test_a_value_out_of_its_set_is_an_error_that_says_the_set(line: SettingLine) -> None:
    wrong = f"{line.reader.choices[0][:-1]}~"
    with pytest.raises(SettingsError, match=f"{line.name} is '{wrong}': it must be ") as error:
        settings({line.name: wrong})
    assert line.reader.kind in str(error.value)


def test_a_near_value_is_named() -> None:
    with pytest.raises(
        SettingsError, match=r"CPA_UNTIMED is \'modifed\': it must be modified; did you mean modified\?"
    ):
        settings({"CPA_UNTIMED": "modifed"})


WRONG = {
    ("CPA_BUDGET", "CPA_DAILY_BUDGET", "CPA_POLL", "CPA_TIMEOUT", "CPA_DEADLINE_MINUTES"): (
        "0",
        "-1",
        "inf",
        "nan",
        "x",
    ),
    ("CPA_RPM", "CPA_TPM", "CPA_CONCURRENCY"): ("0", "1.5", "-1", "x", "²", "1e3"),
    ("CPA_CONCURRENCY",): ("257",),
    ("CPA_MOST_REJECTED", "CPA_LEAST_KAPPA"): ("101%", "-1%", "1.1", "x"),
    ("CPA_START_DATE",): ("2026-02-30", "soon"),
    ("CPA_TIMEZONE", "CPA_ASSUMED_ZONE"): ("Mars/Base", "/etc/passwd", "../UTC"),
    ("CPA_MAP",): ("role", "=x", "role="),
    ("CPA_ALERTS", "CPA_WORKBENCH_URL", "CPA_DAGSTER_URL"): (
        "slack",
        "mailto:a@b.example",
        "https://",
        "localhost:3000",
    ),
    ("CPA_REPORTS",): ("reports", "https://b/x", "s3://", "s3:///x"),
}


@pytest.mark.parametrize(
    ("name", "wrong"), [(name, text) for names, texts in WRONG.items() for name in names for text in texts]
)
def test_a_value_that_cannot_be_read_is_an_error_that_says_what_is_needed(name: str, wrong: str) -> None:
    with pytest.raises(SettingsError) as error:
        settings({name: wrong})
    assert str(error.value) == f"{name} is {wrong!r}: it must be {TABLE[name].reader.kind}"


MISSPELLED = {
    "a pair behind a bar": ("CPA_ROLES", "user=customer|assistant=bot", "separate roles by commas"),
    "a pair behind a semicolon": ("CPA_ROLES", "user=customer;assistant=bot", "separate them by commas, not by ;"),
    "a role alone": ("CPA_ROLES", "user,assistant=bot", "user has no word: user=customer"),
    "a role without its word": ("CPA_ROLES", "assistant=bot,user=", "user has no word"),
    "an empty word": ("CPA_ROLES", "user=customer||guest", "user has no word"),
    "words behind commas": ("CPA_ROLES", "user=customer,guest", "'guest' is none of user, assistant"),
    "a place behind a bar": (
        "CPA_MAP",
        "role=who|content=text",
        "a second pair, content=...: separate pairs by commas",
    ),
    "a place behind a semicolon": ("CPA_MAP", "role=who;content=text", "separate them by commas"),
    "a place behind a space": ("CPA_MAP", "role=who content=text", "a second pair, content"),
    "destinations": ("CPA_DESTINATIONS", "posthog;amplitude", "separate them by commas"),
    "patterns": ("CPA_INCLUDE", "*.csv;*.json", "separate them by commas"),
    "owners": ("CPA_OWNERS", "a@b.example;team:c", "separate them by commas"),
    "regions": ("CPA_PHONE_REGIONS", "DE;AT", "separate them by commas"),
    "a country's name": ("CPA_PHONE_REGIONS", "DE,Austria", "'AUSTRIA' is no country's two letters"),
}


@pytest.mark.parametrize(("name", "wrong", "reason"), MISSPELLED.values(), ids=list(MISSPELLED))
def test_another_separator_than_the_settings_is_an_error_that_says_the_right_form(
    name: str, wrong: str, reason: str
) -> None:
    with pytest.raises(SettingsError) as error:
        settings({name: wrong})
    assert f"it must be {TABLE[name].reader.kind}; " in str(error.value) and reason in str(error.value)


@pytest.mark.parametrize("line", TABLE.values(), ids=lambda line: line.name)
def test_every_setting_is_read_and_an_empty_one_is_unset(line: SettingLine) -> None:
    for name in (line.name, *line.setting.also):
        assert settings({name: f" {text_for(line)} "}).named(line.name) != line.default
        assert settings({name: "  "}).named(line.name) == line.default


@pytest.mark.parametrize("line", TABLE.values(), ids=lambda line: line.name)
def test_a_value_that_is_written_is_read_back_as_the_same(line: SettingLine) -> None:
    given = settings({line.name: text_for(line)})
    assert settings({line.name: given.written(line.name)}).named(line.name) == given.named(line.name)


def test_a_second_name_counts_only_where_the_first_is_unset() -> None:
    for line in TABLE.values():
        for name in line.setting.also:
            assert settings({line.name: "first", name: "second"}).named(line.name) == "first"


@pytest.mark.parametrize("line", [line for line in TABLE.values() if line.secret], ids=lambda line: line.name)
def test_no_secret_is_in_a_representation(line: SettingLine) -> None:
    made = settings({line.name: "hunter2"})
    assert made.named(line.name) == "hunter2"
    assert "hunter2" not in f"{made!r} {made}"


def test_every_key_token_and_secret_is_secret() -> None:
    ending = ("_KEY", "_TOKEN", "_SECRET", "_KEY_ID", "_ACCOUNT", "_BEDROCK", "PASSWORD")
    assert {line.name for line in TABLE.values() if line.secret} == {name for name in TABLE if name.endswith(ending)}


def test_a_setting_has_one_meaning() -> None:
    lines = [line._replace(setting=line.setting._replace(reader=None)) for line in declared()]
    assert {line.name: line.setting for line in lines} == {line.name: line.setting for line in reversed(lines)}
    assert all(line.setting.help.endswith(".") and len(line.setting.help) < 110 for line in lines)


@pytest.mark.parametrize("lane", get_args(Lane))
@pytest.mark.parametrize("way", ["copied", "changed", "read"])
def test_the_lane_that_is_quoted_is_the_lane_that_is_asked(tmp_path: Path, lane: Lane, way: str) -> None:
    """A copy with another lane was quoted at half the price and asked at full price."""
    texts = {"CPA_HOME": str(tmp_path), "CPA_MODEL": "openai:gpt-6-luna", "OPENAI_API_KEY": "k"}
    base = settings(texts)
    made = {
        "copied": base.model_copy(update={"lane": lane}),
        "changed": changed(base, lane=lane),
        "read": settings(texts | {"CPA_LANE": lane}),
    }[way]
    standard, assistant = Assistant.of(base), Assistant.of(made)
    with assistant.store.writing():
        pass
    model = assistant.model("tag")
    standard.provider_of(model)
    asked: Any = assistant.provider_of(model)
    assert tariff(assistant, "tag", model).lane == lane
    assert tariff(assistant, "tag", model).cost([]) == 0.0, "no question costs nothing, whatever the price"
    assert asked.is_flex == (lane == "flex")
    assert not getattr(standard.provider_of(model), "is_flex")  # noqa: B009


def test_two_settings_of_one_run_do_not_share_a_provider_that_differs(tmp_path: Path) -> None:
    from dataclasses import replace

    texts = {"CPA_HOME": str(tmp_path), "CPA_MODEL": "openai:gpt-6-luna", "OPENAI_API_KEY": "k"}
    first = Assistant.of(settings(texts))
    model = first.model("tag")
    same = replace(first, settings=changed(first.settings, budget="5"))
    assert same.provider_of(model) is first.provider_of(model)
    for other in ({"lane": "flex"}, {"timeout": 3.0}, {"openai": settings({"OPENAI_API_KEY": "other"}).openai}):
        made = replace(first, settings=first.settings.model_copy(update=other))
        assert made.provider_of(model) is not first.provider_of(model)


def test_changed_leaves_what_is_not_given() -> None:
    base = settings({"CPA_BUDGET": "3", "CPA_PRIVACY": "full", "OPENAI_API_KEY": "k", "CPA_COMPATIBLE_KEY": "c"})
    made = changed(base, budget="$5", lane=None, start_date="2026-03-04", compatible_url="http://127.0.0.1:1/v1")
    assert (made.budget, made.lane, made.start_date) == (5.0, "standard", date(2026, 3, 4))
    assert (made.privacy, made.openai.key, made.compatible.key) == ("full", "k", "c")
    assert made.compatible.url == "http://127.0.0.1:1/v1"
    with pytest.raises(SettingsError, match="CPA_BUDGTE"):
        changed(base, budgte="5")


def kept(path: Path, text: str) -> str:
    """What the file holds; WRITE_GOLDEN=1 writes it anew."""
    if os.environ.get("WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    return path.read_text("utf-8")


def test_the_files_made_from_the_table_are_current() -> None:
    assert kept(ROOT / ".env.example", dotenv_example(KNOWN)) == dotenv_example(KNOWN)
    assert kept(ROOT / "docs" / "reference" / "settings.md", page(KNOWN)) == page(KNOWN)
    for name in TABLE:
        assert f"#{name}=" in dotenv_example(KNOWN) and f"`{name}`" in page(KNOWN)


def test_the_example_file_is_settings_that_can_be_read() -> None:
    lines = [
        line.removeprefix("#") for line in dotenv_example(KNOWN).splitlines() if line.startswith("#") and "=" in line
    ]
    texts = dict(line.split("=", 1) for line in lines if line.split("=", 1)[0] in TABLE)
    assert texts.keys() == TABLE.keys()
    assert settings(texts).lane == "standard"


def test_flags_have_the_tables_help(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    shown = ""
    for command in ("run", "land", "quote", "status", "report", "schema propose", "schema diff"):
        assert main([*command.split(), "--help"], {}) == 0
        shown += "".join(capsys.readouterr().out.split())
    flags = [name for name in TABLE if re.search(rf"\({name}[,)]", shown)]
    assert len(flags) >= 12
    for name in flags:
        assert "".join(help_of(name).split()) in shown


def test_a_form_gets_name_type_default_help_and_secret() -> None:
    lines = fields(["CPA_LANE", "CPA_BUDGET", "OPENAI_API_KEY"])
    assert [(line.path, line.default, line.secret) for line in lines] == [
        ("lane", "standard", False),
        ("budget", None, False),
        ("openai.key", None, True),
    ]
    assert lines[0].type == Lane and lines[0].reader.choices == get_args(Lane)
    assert all(line.setting.help for line in lines)


@pytest.mark.parametrize(
    "size", ["2", "2TB", "2 000MB", "-2GB", "2GB'; select 1", "80%", "199MB", "0.1GB", "0GB", "1e3MB"]
)
def test_a_memory_bound_that_duckdb_cannot_keep_is_refused(size: str) -> None:
    with pytest.raises(SettingsError, match=r"^CPA_DUCKDB_MEMORY is .*: it must be a size, as in 500MB or 2GB"):
        settings({"CPA_DUCKDB_MEMORY": size})
