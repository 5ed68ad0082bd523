"""The examples' reference annotations, replayed through the real prompts, for their conversations only."""

import json
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from cpa_core.errors import ProviderStopped
from cpa_core.llm import Reply, Request, Usage
from cpa_core.prompts import numbers, spoken
from cpa_core.settings import Settings

Key = tuple[int, str, str]
"""Position, role and text of a message."""

UNKNOWN = (
    "the reference model answers from the annotations of the examples only, and this conversation is none of "
    "theirs; name a model, as in --model openai:gpt-6-luna (with OPENAI_API_KEY) or "
    "--model compatible:llama3.2 (with CPA_COMPATIBLE_URL)"
)


class Annotated:
    """Finds the conversation that a prompt shows and answers as its annotations say."""

    def __init__(self, folders: tuple[Path, ...]) -> None:
        self.annotations: dict[str, Any] = {}
        self.holders: dict[Key, set[str]] = {}
        self.schemas: dict[str, Path] = {}
        for folder in folders:
            self._learn(folder)

    def _learn(self, folder: Path) -> None:
        text = (folder / "annotations.yml").read_text("utf-8")
        self.annotations |= yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        data = json.loads((folder / "example_data.json").read_text("utf-8"))
        for conversation_id, conversation in data.items():
            self.schemas[conversation_id] = folder / "schema.yml"
            for position, message in enumerate(conversation["messages"]):
                key = (position, message["role"], message["content"])
                self.holders.setdefault(key, set()).add(conversation_id)

    def call(self, request: Request) -> Reply:
        """The annotations of the conversation in the prompt. Raises ProviderStopped for any other."""
        shown = [row for line in request.user.splitlines() if (row := spoken(line))]
        candidates = [self.holders.get(key, set()) for key in shown]
        if request.task == "consolidate":
            return _reply(self._consolidated(request.user))
        if request.task == "propose":
            return _reply(_proposal(self._one_schema(candidates)))
        found = set.intersection(*candidates) if candidates else set()
        if len(found) != 1:
            raise ProviderStopped(UNKNOWN)
        annotations = self.annotations[found.pop()]
        if request.task == "judge":
            judgment = _judgment(annotations, [(m, text) for m, _, text in shown])
            asks = "intent" in request.json_schema["properties"]
            return _reply(judgment | ({"intent": _intent(annotations, shown)} if asks else {}))
        as_lines = request.json_schema["properties"]["messages"]["items"]["type"] == "string"
        return _reply(_tags(annotations, _asked(request.user), as_lines=as_lines))

    def _one_schema(self, candidates: list[set[str]]) -> Path:
        found = [{self.schemas[name] for name in names} for names in candidates]
        shared = set.intersection(*found) if found else set()
        if len(shared) != 1:
            raise ProviderStopped(UNKNOWN)
        return shared.pop()

    def _consolidated(self, user: str) -> dict[str, Any]:
        """Return the first draft with every candidate unchanged, and the criteria of the schema of its name."""
        lines = [json.loads(line) for line in user.splitlines() if line.startswith("{")]
        draft = next(line for line in lines if "n" not in line)
        trees = [yaml.safe_load(path.read_text("utf-8")) for path in sorted(set(self.schemas.values()))]
        criteria = next(tree["llm_judge_criteria"] for tree in trees if tree["assistant"]["name"] == draft["name"])
        types = [{**line, "from": [line.pop("n")], "because": ""} for line in lines if "n" in line]
        return {"name": draft["name"], "description": draft["description"], **criteria, "types": types}


def _reply(answer: dict[str, Any]) -> Reply:
    usage = Usage(prompt_tokens=0, cached_tokens=0, cache_write_tokens=0, completion_tokens=0)
    return Reply(outcome="ok", text=json.dumps(answer, ensure_ascii=False), usage=usage)


def _asked(user: str) -> list[int]:
    return numbers(re.findall(r"^Answer for m = ([\d, -]+)\.", user, re.MULTILINE)[-1])


def _tags(annotations: dict[str, Any], positions: list[int], *, as_lines: bool) -> dict[str, Any]:
    events = annotations["messages"]
    if as_lines:
        return {"messages": [line for m in positions for line in _lines(m, events[m])]}
    return {"messages": [{"m": m, "events": [_event(e) for e in events[m]]} for m in positions]}


def _lines(m: int, events: list[dict[str, Any]]) -> list[str]:
    cells = [[e["quote"], e["because"], e["type"], *e["properties"].values()] for e in events]
    return [f"{m} {'|'.join(found)}" for found in cells] or [f"{m} -"]


def _event(annotation: dict[str, Any]) -> dict[str, Any]:
    pairs = [{"name": name, "value": value} for name, value in annotation["properties"].items()]
    return {**annotation, "properties": pairs}


def _judgment(annotations: dict[str, Any], said: list[tuple[int, str]]) -> dict[str, Any]:
    judgment = dict(annotations["judgment"])
    because = judgment.pop("because")
    findings = [{"id": key, "m": _holder(finding["quote"], said), **finding} for key, finding in judgment.items()]
    return {
        "goals": [finding for finding in findings if not finding["id"].startswith("D")],
        "dealbreakers": [finding for finding in findings if finding["id"].startswith("D")],
        "because": because,
    }


def _intent(annotations: dict[str, Any], shown: list[Key]) -> dict[str, Any]:
    intent = annotations["intent"]
    return {"m": _holder(intent["quote"], [(m, text) for m, role, text in shown if role == "user"]), **intent}


def _holder(quote: str, said: list[tuple[int, str]]) -> int:
    """The message that holds a quote, -1 where there is none."""
    return next((m for m, text in said if quote and quote in text), -1)


def _proposal(path: Path) -> dict[str, Any]:
    tree = yaml.safe_load(path.read_text("utf-8"))
    told = {"quotes": [], "seen": 0, "because": ""}
    types = [
        {**fields, **told, "properties": [_property(p) for p in (fields.get("properties") or {}).items()]}
        for fields in tree["event_types"]
    ]
    return {**tree["assistant"], "summary": "", "event_types": types}


def _property(named: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    name, fields = named
    return {"name": name, "definition": fields["definition"], "choices": fields.get("choices", [])}


def examples() -> Path:
    """The folder of the examples: inside the installed package, or at the root of a checkout."""
    installed = Path(str(files("cpa_core"))) / "examples"
    return installed if installed.is_dir() else Path(str(files("cpa_core"))).parent / "examples"


@cache
def _known() -> Annotated:
    return Annotated(tuple(sorted(p.parent for p in examples().glob("*/annotations.yml"))))


def reference(given: Settings) -> Annotated:
    """The reference model over the examples that come with the project."""
    return _known()
