"""Any model, or a person, behind the prompts: a compatible server that writes questions down and answers from files.

    $ python -m proofs.relay serve FOLDER --port 8099     # beside it, as often as there is something new to answer:
    $ CPA_COMPATIBLE_URL=http://127.0.0.1:8099/v1 CPA_CONCURRENCY=256 cpa run SOURCE --model compatible:relay ...
    $ python -m proofs.relay score CPA_HOME gold.csv
    $ python -m proofs.relay                              # the examples, answered by their reference annotations

Each question stands in `FOLDER/NAME.question.md`, its JSON schema included; `FOLDER/NAME.answer.json` is the answer to
it, the object that the schema asks for. A question without one is refused with status 503, so that the run goes on and
the next one asks again; what was answered is not asked again. NAME is a hash of what is asked.

`score` compares the first event of each message with a file of labels (`conversation_id, message_id, role, event_type`)
and prints Cohen's kappa for each role, of the messages that have a label. A message without event has the label "".
"""

import argparse
import csv
import hashlib
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import yaml

from cpa_core.cli import main as cpa
from cpa_core.llm import Request
from cpa_core.providers.reference import Annotated, examples
from cpa_core.store import Store
from tests.servers.chat_completions import Body, ChatServer, Says, question
from tests.servers.scripted import Behaviour, Status

MOST_CALLS = "256"
"""Questions that a run has open at once: as many are written down before it gives up a server that answers nobody."""


@dataclass(frozen=True)
class Relay:
    """A folder of questions and answers."""

    folder: Path

    def script(self, body: Body, nth: int) -> Says | Status:
        """Write a question down; its answer, or status 503 where there is none yet."""
        asked = question(body)
        text = f"{asked.system}\n\n===\n\n{asked.user}\n\n===\n\n{json.dumps(asked.schema, indent=1)}\n"
        name = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        path = self.folder / f"{name}.question.md"
        if not path.exists():
            path.write_text(text, "utf-8", errors="surrogatepass")
        answer = self.folder / f"{name}.answer.json"
        return Says(answer.read_text("utf-8")) if answer.exists() else Status(503)

    def open(self) -> list[Path]:
        """The questions that have no answer yet."""
        found = sorted(self.folder.glob("*.question.md"))
        return [path for path in found if not _answer_to(path).exists()]

    def answered(self, answers: Annotated) -> int:
        """Answer what is open from annotations; how many there were."""
        for path in (found := self.open()):
            system, user, shape = path.read_text("utf-8").split("\n\n===\n\n")
            schema = json.loads(shape)
            task = "judge" if "goals" in schema["properties"] else "tag"
            fields = {"provider": "compatible", "model": "relay", "system": system, "user": user}
            request = Request(task=task, json_schema=schema, max_tokens=1, **fields)
            _answer_to(path).write_text(answers.call(request).text, "utf-8")
        return len(found)


def _answer_to(path: Path) -> Path:
    return path.with_name(path.name.replace(".question.md", ".answer.json"))


class Score(NamedTuple):
    """How labels agree with gold in one role."""

    role: str
    messages: int
    agreed: float
    kappa: float


Key = tuple[str, str]


def scored(given: Mapping[Key, str], gold: Sequence[tuple[Key, str, str]]) -> list[Score]:
    """A score for each role of the gold, which is (conversation and message, role, label). No event is the label ""."""
    scores: list[Score] = []
    for role in sorted({role for _, role, _ in gold}):
        pairs = [(given.get(key, ""), label) for key, of, label in gold if of == role]
        agreed = sum(a == b for a, b in pairs) / len(pairs)
        scores.append(Score(role, len(pairs), agreed, kappa(pairs)))
    return scores


def kappa(pairs: Sequence[tuple[str, str]]) -> float:
    """Cohen's kappa of pairs of labels: agreement beyond chance, 1 where all agree on a single label."""
    count = len(pairs)
    ours, theirs = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    agreed = sum(a == b for a, b in pairs) / count
    chance = sum(ours[label] * theirs[label] for label in ours) / count**2
    return 1.0 if chance == 1 else (agreed - chance) / (1 - chance)


def main_events(home: Path) -> dict[Key, str]:
    """The first event of each message that has one: in the order of the answer, else by its place in the text."""
    with Store(home).reading() as view:
        rows = view.rows(
            "select conversation_id, message_id, "
            "arg_min(event_type, (coalesce(nth, 0), coalesce(quote_start, 0))) as type "
            "from tagged_events group by conversation_id, message_id"
        )
    return {(row["conversation_id"], row["message_id"]): row["type"] for row in rows}


def gold_of(path: Path) -> list[tuple[Key, str, str]]:
    """The labels of a file, one a message."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [((row["conversation_id"], row["message_id"]), row["role"], row["event_type"]) for row in rows]


def printed(scores: Iterable[Score]) -> list[str]:
    """The scores as a table's rows."""
    return [f"{s.role}: kappa {s.kappa:.3f}, {s.agreed:.1%} of {s.messages} messages agree" for s in scores]


def serve(folder: Path, port: int) -> int:
    """Serve until interrupted, and say now and then what waits for an answer."""
    folder.mkdir(parents=True, exist_ok=True)
    relay, before = Relay(folder), -1
    with ChatServer(Behaviour(relay.script), port) as server:
        print(f"CPA_COMPATIBLE_URL={server.url}", flush=True)
        try:
            while True:
                if (waiting := len(relay.open())) != before:
                    print(f"{waiting} questions wait for an answer in {folder}", flush=True)
                before = waiting
                time.sleep(1)
        except KeyboardInterrupt:
            return 0


def example(name: str, folder: Path, *, at_once: bool = False) -> list[Score]:
    """An example asked about through files, answered from its annotations, and scored against them.

    Without `at_once` the answers are written when a run has ended without them, as a person would do it.
    """
    home, relay, source = folder / "home", Relay(folder / "relay"), examples() / name
    relay.folder.mkdir(parents=True)
    answers = Annotated((source,))

    def script(body: Body, nth: int) -> Says | Status:
        said = relay.script(body, nth)
        if at_once and isinstance(said, Status):
            relay.answered(answers)
        return relay.script(body, nth) if at_once else said

    with ChatServer(Behaviour(script)) as server:
        environ = {"CPA_HOME": str(home), "CPA_COMPATIBLE_URL": server.url, "CPA_COMPATIBLE_KEY": "relay"}
        environ["CPA_CONCURRENCY"] = "1" if at_once else MOST_CALLS
        run = ["run", str(source / "example_data.json"), "--schema", str(source / "schema.yml")]
        asked = 0
        while cpa([*run, "--model", "compatible:relay"], environ) != 0:
            if not (new := relay.answered(answers)):
                raise SystemExit("the run fails although every question has an answer")
            asked += new
    print(f"{name}: {asked} questions, each answered from a file")
    return scored(main_events(home), annotated(name, home))


def annotated(name: str, home: Path) -> list[tuple[Key, str, str]]:
    """The reference annotations as labels: the first event of each message of user or assistant."""
    tree = yaml.safe_load((examples() / name / "annotations.yml").read_text("utf-8"))
    with Store(home).reading() as view:
        rows = view.rows("select conversation_id, message_id, position, role from messages")
    found = []
    for row in rows:
        events = tree[row["conversation_id"]]["messages"].get(row["position"], [])
        label = events[0]["type"] if events else ""
        found.append(((row["conversation_id"], row["message_id"]), row["role"], label))
    return [one for one in found if one[1] in ("user", "assistant")]


def proof() -> int:
    """Both examples; 1 where a label was lost on the way."""
    lost = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in ("therapist", "tax_advisor"):
            scores = example(name, Path(folder) / name)
            print("\n".join(printed(scores)))
            lost += sum(score.kappa < 1 for score in scores)
    return int(lost > 0)


def main() -> int:
    """Serve, score, or prove."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command")
    one = commands.add_parser("serve")
    one.add_argument("folder", type=Path)
    one.add_argument("--port", type=int, default=8099)
    one = commands.add_parser("score")
    one.add_argument("home", type=Path)
    one.add_argument("gold", type=Path)
    options = parser.parse_args()
    if options.command == "serve":
        return serve(options.folder, options.port)
    if options.command == "score":
        print("\n".join(printed(scored(main_events(options.home), gold_of(options.gold)))))
        return 0
    return proof()


if __name__ == "__main__":
    sys.exit(main())
