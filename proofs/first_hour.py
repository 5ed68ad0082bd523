"""A stranger's first hour: the commands of docs/start/own-data.md on a helpdesk's CSV, to receipts at PostHog.

The model and PostHog are servers on loopback. The commands are read from the section "The first hour" of that page; the
model's name, the addresses and the key are the stranger's own, and `make demo` is `cpa demo` where all is installed.
What `cpa land --explain` advises is written into `.env`, as the page says. At most ten commands may be needed.
"""

import csv
import json
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from proofs.scene import BIN, ROOT, Failed, scene
from tests.servers.chat_completions import ChatServer
from tests.servers.posthog import PostHogServer

MOST = 10
"""Commands that a stranger may need."""
CONVERSATIONS = 20
SECTION = re.compile(r"## The first hour\n.*?```console\n(.*?)```", re.DOTALL)
ADVICE = re.compile(r"--map ('[^']+'|[^\s)]+)")
HEADER = ("Ticket ID", "Created At", "Author Type", "Author Name", "Message")
TALK = (
    ("customer", "Where is my refund for order {n}? It was due on Monday."),
    ("agent", "It left us on Monday and takes three days to arrive."),
    ("customer", "That is too late, I am annoyed."),
    ("agent", "I am sorry. I have asked the bank to hurry."),
)


def helpdesk(path: Path) -> None:
    """A helpdesk's export: semicolons, its own columns, customers and agents."""
    began = datetime(2026, 3, 2, 9, tzinfo=UTC)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(HEADER)
        for n in range(CONVERSATIONS):
            for turn, (author, words) in enumerate(TALK):
                at = began + timedelta(hours=5 * n, seconds=30 * turn)
                name = f"Customer {n}" if author == "customer" else "Ada"
                writer.writerow([f"T-{1000 + n}", at.isoformat(), author, name, words.format(n=n)])


def commands() -> list[str]:
    """The commands of the section, without their comments."""
    found = SECTION.search((ROOT / "docs" / "start" / "own-data.md").read_text("utf-8"))
    if found is None:
        raise Failed("docs/start/own-data.md has no section 'The first hour' with a console block")
    lines = [line[2:].split("  #")[0].strip() for line in found[1].splitlines() if line.startswith("$ ")]
    return [line.replace("openai:gpt-6-luna", "compatible:test-model") for line in lines]


def followed(line: str, folder: Path, environ: dict[str, str]) -> str:
    """What a command prints; a stranger stops where one fails."""
    words = shlex.split(line.replace("make demo", "cpa demo"))
    words = [str(BIN / "cpa") if word in (".venv/bin/cpa", "cpa") else word for word in words]
    done = subprocess.run(words, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=300)
    print(f"$ {line}\n{done.stdout}{done.stderr}", flush=True)
    if done.returncode and not advised(done.stderr, folder):
        raise Failed(f"{line}: status {done.returncode}")
    return done.stdout


def advised(said: str, folder: Path) -> bool:
    """Write the names that an error advises into `.env`; whether it advised any."""
    found = ADVICE.search(said)
    if found:
        (folder / ".env").write_text(f'CPA_MAP="{shlex.split(found[1])[0]}"\n', "utf-8")
    return found is not None


def main() -> int:
    """Follow the commands, and count them."""
    with scene() as here, ChatServer() as model, PostHogServer() as posthog:
        folder = here.folder / "clone"
        folder.mkdir()
        helpdesk(folder / "chats.csv")
        environ = {name: value for name, value in here.environ.items() if not name.startswith(("CPA_", "POSTHOG_"))}
        environ |= {"CPA_COMPATIBLE_URL": model.url, "POSTHOG_API_KEY": posthog.key, "POSTHOG_HOST": posthog.url}
        lines = commands()
        for line in lines:
            followed(line, folder, environ)
        status = json.loads(followed("cpa status --json --destination posthog", folder, environ))
    receipts = [one for one in status["receipts"] if one["destination"] == "posthog"]
    accepted = sum(one["accepted"] for one in receipts)
    at_posthog = len(posthog.rows)
    print(f"{len(lines)} commands (at most {MOST}); {accepted} events accepted, {at_posthog} at PostHog")
    is_whole = 0 < accepted == at_posthog and len(lines) <= MOST
    conversations = sum(one["conversations"] for one in status["days"])
    return (
        0
        if is_whole
        and conversations == CONVERSATIONS
        and not any(one["difference"] for one in receipts)
        and not status["due"]
        else 1
    )


if __name__ == "__main__":
    sys.exit(main())
