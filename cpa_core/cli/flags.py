"""Settings as flags: a command names those it takes, and their help comes from the table of settings."""

import inspect
from collections.abc import Callable, Mapping
from contextlib import nullcontext, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cpa_core.destinations import DESTINATIONS
from cpa_core.errors import SettingsError
from cpa_core.settings import TABLE, Settings, environment, settings, shown

if TYPE_CHECKING:
    from cpa_core.cli.facts import Done

KNOWN = {"CPA_DESTINATIONS": tuple(DESTINATIONS)}
"""The names that a setting takes, where another table than the settings' has them."""
VALUES = {"Path": "PATH", "bool": "YES|NO", "date": "DAY", "int": "NUMBER", "float": "NUMBER"}
"""The placeholder of a flag's value in the help, by the type of its setting."""
SOURCE = (
    *("CPA_SOURCE", "CPA_HOME", "CPA_FORMAT", "CPA_MAP", "CPA_ROLES", "CPA_TIMES"),
    *("CPA_INCLUDE", "CPA_EXCLUDE", "CPA_TABLE", "CPA_QUERY", "CPA_WATERMARK", "CPA_LOOKBACK", "CPA_SESSION_GAP"),
)
"""The settings that say how a source is read: every command that reads one takes all of them as flags."""
Run = Callable[..., "Done | int"]


def command(app: typer.Typer, panel: str, example: str, *names: str) -> Callable[[Run], Run]:
    """Register a function as a command of `app`. Its first parameter is the settings; the others are its own flags.

    A parameter `texts` gets the mapping that replaces the environment. A command that returns Done has `--json`, which
    prints its facts alone. `names` are settings for which the command has a flag; an argument SOURCE stands for
    CPA_SOURCE.
    """

    def register(run: Run) -> Run:
        own = [one for one in list(inspect.signature(run).parameters.values())[1:] if one.name != "texts"]
        has_texts = "texts" in inspect.signature(run).parameters
        fields = {flag_name(name): name for name in names}

        def called(ctx: typer.Context, **values: Any) -> int:
            flags = {field: values.pop(field) for field in fields}
            as_json = values.pop("as_json", False)
            values |= {"texts": ctx.obj} if has_texts else {}
            with redirect_stdout(StringIO()) if as_json else nullcontext():
                done = run(settings_of(ctx.obj, flags), **values)
            if isinstance(done, int):
                return done
            if as_json:
                typer.echo(done.facts.model_dump_json(indent=2))
            return done.status

        finds = [AS_JSON] if inspect.signature(run).return_annotation is not int else []
        parameters = [*(_parameter(field, name) for field, name in fields.items()), *finds]
        first = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
        # typer reads the signature, so the flags of settings are written into it
        called.__signature__ = inspect.Signature([first, *own, *parameters])  # type: ignore[attr-defined]
        named = run.__name__.removesuffix("_command").replace("_", "-")
        about = inspect.getdoc(run) or ""
        app.command(named, help=escaped(about), epilog=f"example: {escaped(example)}", rich_help_panel=panel)(called)
        return run

    return register


def switch(name: str, about: str) -> Any:
    """A flag without a value."""
    return typer.Option(name, help=about, metavar=" ", show_default=False)


AS_JSON = inspect.Parameter(
    "as_json",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[bool, switch("--json", "print what was found as JSON, and nothing else")],
)


def settings_of(texts: Mapping[str, str] | None, flags: Mapping[str, str | None]) -> Settings:
    """Return the settings read from flags, the environment (or `texts` in its place) and `.env`.

    Raises SettingsError, also where a file stands in the home's place.
    """
    given = settings(environment(texts), **flags)
    for place in (given.home, *given.home.parents):
        if place.exists() and not place.is_dir():
            raise SettingsError(f"{place} is a file, but the home must be a folder; name another: --home, CPA_HOME")
    return given


def flag_name(name: str) -> str:
    """`CPA_HOME` as the name of a parameter: `home`."""
    return name.removeprefix("CPA_").lower()


def flag_of(name: str, flag: str = "") -> Any:
    """The flag of a setting, under another name where one is given; or the argument SOURCE."""
    about = escaped(help_of(name))
    if name == "CPA_SOURCE":
        return typer.Argument(help=about, metavar="SOURCE", show_default=False)
    line = TABLE[name]
    choices = [*KNOWN.get(name, line.reader.choices)]
    return typer.Option(
        flag or line.flag,
        help=about,
        metavar="|".join(choices) if 0 < len(choices) < 4 else VALUES.get(_kind(line.type), "TEXT"),
        autocompletion=(lambda: choices) if choices else None,
        rich_help_panel=line.setting.group,
    )


def _kind(annotation: Any) -> str:
    return next((name for name in VALUES if name in str(getattr(annotation, "__name__", annotation))), "")


def _parameter(field: str, name: str) -> inspect.Parameter:
    annotation = Annotated[str | None, flag_of(name)]
    return inspect.Parameter(field, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def help_of(name: str) -> str:
    """The help of a setting as a flag: `the folder of the store (CPA_HOME, default .cpa)`."""
    line = TABLE[name]
    names = f": {', '.join(KNOWN[name])}" if name in KNOWN else ""
    default = line.setting.default or shown(line.default)
    default = f", default {default}" if default else ""
    words = line.setting.help[0].lower() + line.setting.help[1:].rstrip(".")
    return f"{words}{names} ({name}{default})"


def escaped(text: str) -> str:
    """The text without markup for rich: `parts[].text` stays as it is."""
    return text.replace("[", "\\[")
