"""A loopback server that speaks OpenAI's chat completions and answers our prompts as a model would.

In a test: `with ChatServer(Behaviour(latency=0.01)) as server: ... server.url ... server.calls`. Alone:
`python -m tests.servers.chat_completions --port 0 --latency 0.05`; its first line of output is its URL.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Mapping
from email.message import Message

from tests.servers import brain, schema_limits
from tests.servers.brain import Body, Question, tokens
from tests.servers.caches import MARKED, Cache, Read
from tests.servers.scripted import (
    Behaviour,
    Broken,
    Changed,
    Drop,
    Fault,
    Filtered,
    Garbage,
    Hang,
    ModelServer,
    Refused,
    Says,
    Scripted,
    Status,
    Truncated,
    by_substring,
    json_object,
    said,
    strict,
)

__all__ = [
    "Behaviour",
    "Body",
    "Broken",
    "Changed",
    "ChatServer",
    "Drop",
    "Fault",
    "Filtered",
    "Garbage",
    "Hang",
    "Refused",
    "Says",
    "Status",
    "Truncated",
    "answer",
    "by_substring",
    "checked",
]


class ChatServer(ModelServer):
    """OpenAI, or what speaks like it."""

    def __init__(self, behaviour: Behaviour | None = None, port: int = 0) -> None:
        super().__init__(behaviour, port)
        self.cache = Cache()

    @property
    def url(self) -> str:
        """What CPA_COMPATIBLE_URL or OPENAI_BASE_URL is set to."""
        return f"{self.origin}/v1"

    def checked(self, path: str, headers: Message, content: bytes) -> Body:
        """As OpenAI checks, the key first."""
        if not (headers.get("Authorization") or "").startswith("Bearer "):
            raise Fault("You didn't provide an API key.", 401, "invalid_api_key")
        if path != "/v1/chat/completions":
            raise Fault(f"Unknown request URL: POST {path}", 404, None)
        return checked(content, structured=self.behaviour.structured)

    def question(self, body: Body) -> Question:
        """The two messages, and the schema beside them."""
        return question(body)

    def says(self, body: Body, scripted: Scripted | None) -> Body:
        """A chat completion."""
        with self.guard:
            read = self.cache.openai(body, question(body))
        return completion(body, scripted, read)

    def error(self, path: str, fault: Fault) -> tuple[Body, Mapping[str, str]]:
        """OpenAI's form."""
        kind = "invalid_request_error" if fault.status < 500 else "server_error"
        return {"error": {"message": str(fault), "type": kind, "param": None, "code": fault.code}}, {}


def checked(content: bytes, *, structured: bool = True) -> Body:
    """The request body. Raises Fault for what OpenAI answers with status 400."""
    body = json_object(content)
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise Fault("you must provide a model parameter")
    messages = body.get("messages")
    if not isinstance(messages, list) or [m.get("role") for m in messages] != ["system", "user"]:
        raise Fault("'messages': one of role system and one of role user are wanted")
    if not all(_is_text(m.get("content")) for m in messages):
        raise Fault("'messages': content must be text, or parts of it")
    _cached(body)
    limits = [body[name] for name in ("max_tokens", "max_completion_tokens") if name in body]
    if len(limits) != 1 or not isinstance(limits[0], int) or limits[0] < 1:
        raise Fault("exactly one of max_tokens and max_completion_tokens must be a whole number")
    if structured:
        _shaped(body.get("response_format") or {})
    elif "response_format" in body:
        raise Fault("This model does not support response format `json_schema`.", code=None)
    return body


def _is_text(content: object) -> bool:
    if isinstance(content, str):
        return True
    return isinstance(content, list) and bool(content) and all(_is_part(part) for part in content)


def _is_part(part: object) -> bool:
    if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
        return False
    return set(part) <= {"type", "text", "prompt_cache_breakpoint"}


def _cached(body: Body) -> None:
    """Raises Fault for marks that the model does not know, or that are none."""
    parts = [part for m in body["messages"] if isinstance(m["content"], list) for part in m["content"]]
    marks = [part["prompt_cache_breakpoint"] for part in parts if "prompt_cache_breakpoint" in part]
    options = body.get("prompt_cache_options")
    if (marks or options is not None) and not MARKED.match(body["model"]):
        name = "prompt_cache_breakpoint" if marks else "prompt_cache_options"
        raise Fault(f"{name} is not supported on this model", code="invalid_parameter")
    if any(mark != {"mode": "explicit"} for mark in marks) or len(marks) > 4:
        raise Fault("Invalid value: 'prompt_cache_breakpoint'.")
    if options is not None and (set(options) - {"mode", "ttl"} or options.get("mode") not in ("implicit", "explicit")):
        raise Fault("Invalid value: 'prompt_cache_options'.")
    key = body.get("prompt_cache_key", "key")
    if not isinstance(key, str) or not 0 < len(key) <= 64:
        raise Fault("Invalid 'prompt_cache_key': string too long.")


def _shaped(shape: Body) -> None:
    wanted = shape.get("json_schema") or {}
    if shape.get("type") != "json_schema" or wanted.get("strict") is not True or not wanted.get("name"):
        raise Fault("'response_format' must be json_schema, named and strict")
    strict(wanted.get("schema"), "schema")
    schema_limits.openai(wanted["schema"])


def question(body: Body) -> Question:
    """What the model reads."""
    system, user = (_text(message["content"]) for message in body["messages"])
    shape = body.get("response_format")
    return Question(system, user, shape["json_schema"]["schema"] if shape else None)


def _text(content: str | list[Body]) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def answer(body: Body) -> str:
    """What the model says to a body."""
    return brain.answer(question(body))


def completion(body: Body, scripted: Scripted | None, read: Read) -> Body:
    """A `chat.completion` object as OpenAI writes it."""
    text = said(answer(body), scripted)
    message: Body = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    finish = "length" if isinstance(scripted, Truncated) else "stop"
    if isinstance(scripted, Refused):
        message |= {"content": None, "refusal": "I'm sorry, I can't assist with that."}
    elif isinstance(scripted, Filtered):
        message["content"], finish = None, "content_filter"
    written = tokens(text)
    return {
        "id": "chatcmpl-" + hashlib.sha256(json.dumps(body).encode()).hexdigest()[:24],
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": read.whole,
            "completion_tokens": written,
            "total_tokens": read.whole + written,
            "prompt_tokens_details": {
                "cached_tokens": read.cached,
                "cache_write_tokens": read.written,
                "audio_tokens": 0,
            },
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        },
        "service_tier": body.get("service_tier", "default"),
        "system_fingerprint": None,
    }


def main() -> None:
    """Serve until the lifetime is over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--break-substring", help="answers about conversations with this text are not JSON")
    parser.add_argument("--refuse-substring", help="answers about conversations with this text are refusals")
    parser.add_argument("--lifetime", type=float, default=120.0, help="seconds until it stops by itself")
    given = parser.parse_args()
    script = by_substring(given.break_substring, given.refuse_substring)
    with ChatServer(Behaviour(script, given.latency), given.port) as server:
        print(server.url, flush=True)
        time.sleep(given.lifetime)


if __name__ == "__main__":
    main()
