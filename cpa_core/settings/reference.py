"""Documents made from the table of settings: `.env.example`, the reference page, and fields for a form."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence

from cpa_core.settings.reading import shown
from cpa_core.settings.table import ELSEWHERE, TABLE, SettingLine

WIDTH = 118
Known = Mapping[str, Sequence[str]]
"""The allowed values of a setting that stand in a table above this one, such as the names of destinations."""
OPENING = """\
# Copy this file to `.env` and fill it in. A flag overrides the environment, and the environment overrides this file.
# Each line shows the default or an example. docs/reference/settings.md has the same as a table.
"""
PAGE = """\
# Settings

`cpa` and Dagster read each setting from the environment or from `.env` in the working directory. A flag overrides the
environment, and the environment overrides `.env`. An empty value counts as unset. An unknown name that begins with
`CPA_` and a value that is not allowed are errors. In Python, `settings({"CPA_LANE": "flex"}).lane` is the field in the
last column.

This page is made from the table in `cpa_core/settings/`.
"""


def dotenv_example(known: Known) -> str:
    """The text of `.env.example`: every setting with its help, each line commented out."""
    parts = (f"\n# --- {group} ---\n{''.join(_example(line, known) for line in lines)}" for group, lines in groups())
    return OPENING + "".join(parts)


def page(known: Known) -> str:
    """The reference page in Markdown: a table for each group."""
    tables = (f"\n## {group}\n\n{_table(lines, known)}" for group, lines in groups())
    elsewhere = "".join(f"- `{name}`: {words}\n" for name, words in ELSEWHERE.items())
    return f"{PAGE}{''.join(tables)}\n## Read by the containers' own files\n\n{elsewhere}"


def fields(names: Iterable[str]) -> list[SettingLine]:
    """The lines of these settings, for a form such as Dagster's run configuration.

    A line has `path` (where the value stands in Settings), `type`, `default`, `secret`, `setting.help`, and
    `reader.choices` for a closed set. `cpa_core.settings.changed` takes the texts that a person gives.
    """
    return [TABLE[name] for name in names]


def groups() -> Iterator[tuple[str, list[SettingLine]]]:
    """The lines of each group, in the table's order."""
    for group in dict.fromkeys(line.setting.group for line in TABLE.values()):
        yield group, [line for line in TABLE.values() if line.setting.group == group]


def _example(line: SettingLine, known: Known) -> str:
    setting = line.setting
    choices = known.get(line.name) or line.reader.choices
    allowed = f"One of: {', '.join(choices)}." if len(choices) > 1 else ""
    words = " ".join(filter(None, (setting.help, setting.more, allowed)))
    comment = textwrap.fill(words, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
    return f"{comment}\n#{line.name}={setting.example or shown(line.default)}\n"


def _table(lines: Iterable[SettingLine], known: Known) -> str:
    rows = "".join(_row(line, known) for line in lines)
    return f"| name | value | default | meaning | field |\n|---|---|---|---|---|\n{rows}"


def _row(line: SettingLine, known: Known) -> str:
    setting = line.setting
    also = f" {' or '.join(f'`{name}`' for name in setting.also)} counts where it is unset." if setting.also else ""
    secret = " Secret." if line.secret else ""
    names = f"One of: {', '.join(known[line.name])}." if line.name in known else ""
    words = " ".join(filter(None, (setting.help, setting.more, names))) + also + secret
    default = setting.default or (f"`{shown(line.default)}`" if shown(line.default) else "unset")
    cells = (f"`{line.name}`", line.reader.kind, default, words, f"`{line.path}`")
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"
