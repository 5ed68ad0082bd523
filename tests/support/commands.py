"""The `cpa` command as a person runs it in a home, and what then stands at a vendor's server."""

import json
import os
import shlex
import subprocess
import sys
from typing import Any

from cpa_core.cli import main
from cpa_core.schema import dump
from tests.servers.amplitude import AmplitudeServer
from tests.servers.posthog import PostHogServer
from tests.servers.scripted import Behaviour, ModelServer
from tests.support.fakes import QUESTION, SCHEMA
from tests.support.homes import Home

ANSWER = QUESTION.model_copy(
    update={"name": "Answer", "role": "assistant", "definition": "It answers.", "properties": QUESTION.properties[1:]}
)
ONE_EACH = SCHEMA.model_copy(update={"events_per_message": "one", "event_types": (QUESTION, ANSWER)})
"""One event a message, so that it is known how many there must be: a question of the user, an answer to it."""

Body = dict[str, Any]
Messages = list[Body]


def environ(home: Home) -> dict[str, str]:
    """What the person has set."""
    return {"CPA_HOME": str(home.folder / "home"), "CPA_SOURCE": str(home.source), **home.environ}


def cpa(home: Home, line: str) -> int:
    """The command in this process: its exit status."""
    return main(shlex.split(line), environ(home))


def is_understood(words: list[str]) -> bool:
    """Whether a command line names a command and flags that exist; only its help is shown."""
    return main([*words, "--help"], {}) == 0


def started(home: Home, line: str, **more: str) -> subprocess.Popen[str]:
    """The command in a process of its own, for what happens when that ends."""
    return subprocess.Popen(
        [sys.executable, "-m", "cpa_core.cli", *shlex.split(line)],
        cwd=home.folder,
        env={**os.environ, **environ(home), **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit status and what it printed."""
    out, err = process.communicate(timeout=120)
    return process.returncode, out + err


def chat(conversation_id: str, messages: int = 2, day: str = "2026-03-04", user: str = "u1") -> Body:
    """One conversation by id, by turns of user and assistant, with ids that begin anew in each."""
    said = [
        {
            "role": ("user", "assistant")[n % 2],
            "content": f"{conversation_id}-{n} is what is said here",
            "timestamp": f"{day}T09:{n // 60:02}:{n % 60:02}Z",
            "message_id": n + 1,
        }
        for n in range(messages)
    ]
    return {conversation_id: {"user_id": user, "messages": said}}


def chats(count: int, messages: int = 2) -> str:
    """A file of conversations: c000, c001 and so on."""
    return json.dumps({key: body for n in range(count) for key, body in chat(f"c{n:03}", messages).items()})


def opened(home: Home, model: ModelServer, to: PostHogServer | AmplitudeServer, **more: str) -> Home:
    """The home with a schema of one event a message, a compatible model and a destination that gets the text."""
    (home.folder / "schema.yml").write_text(dump(ONE_EACH), "utf-8")
    home.environ |= {
        "CPA_SCHEMA": str(home.folder / "schema.yml"),
        "CPA_MODEL": "compatible:test-model",
        "CPA_COMPATIBLE_URL": f"{model.origin}/v1",
        "CPA_COMPATIBLE_STRUCTURED": "strict",
        "CPA_PRIVACY": "full",
        **at(to),
        **more,
    }
    return home


def at(vendor: PostHogServer | AmplitudeServer) -> dict[str, str]:
    """The settings that send events there."""
    if isinstance(vendor, PostHogServer):
        return {"CPA_DESTINATIONS": "posthog", "POSTHOG_API_KEY": vendor.key, "POSTHOG_HOST": vendor.url}
    return {"CPA_DESTINATIONS": "amplitude", "AMPLITUDE_API_KEY": vendor.key, "AMPLITUDE_URL": vendor.url}


def payloads(vendor: PostHogServer | AmplitudeServer) -> list[Body]:
    """The properties of every event that is stored there, without those that the vendor's package adds."""
    key = "properties" if isinstance(vendor, PostHogServer) else "event_properties"
    return [{name: value for name, value in row[key].items() if name[0] != "$"} for row in list(vendor.rows)]


def by_message(vendor: PostHogServer | AmplitudeServer) -> dict[tuple[str, str], Body]:
    """The stored payloads by conversation and message, where there is one event a message."""
    found = [one for one in payloads(vendor) if "message_id" in one]
    named = {(one["conversation_id"], one["message_id"]): one for one in found}
    assert len(named) == len(found), "two events of one message"
    return named


def scripted(model: ModelServer, script: Any) -> None:
    """Let the model say this."""
    model.behaviour = Behaviour(script)


def about(body: Body, words: str) -> bool:
    """Whether a question to a model shows these words."""
    return words in body["messages"][-1]["content"]


def is_tagging(body: Body) -> bool:
    """Whether a question of the compatible form is about tags."""
    return bool(body["response_format"]["json_schema"]["name"] == "tag")
