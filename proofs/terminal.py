"""A terminal, recorded: the first commands on the demo with what they print, as pictures for docs/start.

python -m proofs.terminal [--pictures docs/start]

Rich draws what the commands printed, with their colours. The pictures name no font from outside, so a page that shows
one fetches nothing. Without `--pictures`, a picture that is no longer what the commands print is an error.
"""

import argparse
import io
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME
from rich.text import Text

from proofs.scene import BIN, ROOT, SHOWN, Failed, Scene, scene

COLUMNS = 120

COMMANDS = {
    "terminal-demo.svg": ("demo", 24),
    "terminal-show.svg": ("show therapist-08 --home .demo/therapist", 30),
}
"""A picture by its name: the command, and the most lines of its output that are shown."""

FORMAT = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
    <style>
    .{unique_id}-matrix {{ font-family: Menlo, Consolas, "DejaVu Sans Mono", monospace;
        font-size: {char_height}px; line-height: {line_height}px; }}
    .{unique_id}-title {{ font-size: 18px; font-family: sans-serif; }}
    {styles}
    </style>
    <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
    </clipPath>
    {lines}
    </defs>
    {chrome}
    <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">
    {matrix}
    </g>
    </g>
</svg>
"""
"""Rich's picture of a console without its links to fonts."""


def printed(here: Scene, command: str) -> str:
    """The output of a `cpa` command in the scene's folder, with its colours and without the folder's place."""
    whole = [str(BIN / "cpa"), *command.split()]
    run = subprocess.run(
        whole, check=False, cwd=here.folder, env=here.environ, capture_output=True, text=True, timeout=300
    )
    if run.returncode:
        raise Failed(f"cpa {command}: exit status {run.returncode}\n{run.stderr[-SHOWN:]}")
    return re.sub(r"[^\s]*/(?=examples/|\.venv/bin/)", "", run.stdout)


def picture(command: str, output: str, most: int) -> str:
    """The command and the first lines of its output, as SVG."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.assemble(("$ ", "bold green"), (f"cpa {command}", "bold")))
    lines = Text.from_ansi(output).wrap(console, COLUMNS)
    for line in lines[:most]:
        console.print(line)
    if len(lines) > most:
        console.print(Text(f"... {len(lines) - most} more lines", "dim"))
    return console.export_svg(title="cpa", theme=DEFAULT_TERMINAL_THEME, code_format=FORMAT, unique_id="cpa")


def main() -> int:
    """Take the pictures, or compare those that there are with new ones; 1 where one is old."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--pictures", type=Path, help="the folder in which the pictures are renewed")
    folder: Path | None = options.parse_args().pictures
    old = []
    with scene() as here:
        here.environ |= {"FORCE_COLOR": "1", "COLUMNS": str(COLUMNS)}
        for name, (command, most) in COMMANDS.items():
            drawn = picture(command, printed(here, command), most)
            if folder is not None:
                (folder / name).write_text(drawn, "utf-8")
            elif (ROOT / "docs" / "start" / name).read_text("utf-8") != drawn:
                old.append(name)
            print(f"{name}: {'old' if name in old else 'as the command prints it'}")
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main())
