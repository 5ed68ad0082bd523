"""Loopback servers that speak OpenAI's Batch API and Anthropic's Message Batches beside their single calls.

Written after the SDKs' sources (`openai/resources/batches.py`, `anthropic/resources/messages/batches.py`) and
the vendors' guides. A batch ends at the first look after `held` is no more; what becomes of a question is decided by
`fate(custom_id, nth batch that it is in)`.
"""

import json
import math
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from tests.servers import chat_completions
from tests.servers.chat_completions import ChatServer
from tests.servers.messages import MessagesServer
from tests.servers.scripted import Behaviour, Body, Fault, ModelServer, Status, json_object

Fate = Literal["answered", "expired", "errored", "missing"]


def always_answered(custom_id: str, nth: int) -> Fate:
    """The usual fate."""
    return "answered"


@dataclass
class Kept:
    """One batch as its vendor keeps it. `results` are lines, once it has ended."""

    id: str
    lines: dict[str, Body]
    created_at: float
    metadata: Mapping[str, str] = field(default_factory=dict)
    failed: str = ""
    code: str = "invalid"
    fates: Counter[str] = field(default_factory=Counter)
    results: list[Body] | None = None


class Batches:
    """What both vendors' servers have in common: batches, and what becomes of them."""

    def __init__(self) -> None:
        self.batches: dict[str, Kept] = {}
        self.fate: Callable[[str, int], Fate] = always_answered
        self.held = False
        self.dropping = False
        """Whether the connection ends without an answer once a batch is created."""
        self.refusing: list[Fault] = []
        """What the next attempts to create a batch are answered with."""
        self.whole = ""
        """Why batches fail as a whole, where they do."""
        self.looks = 0
        self.times: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()

    @property
    def twice(self) -> int:
        """Answers that were given, and billed, again to the same question."""
        return sum(n - 1 for n in self.answered.values())

    def create(self, lines: list[tuple[str, Body]], metadata: Mapping[str, str], failed: str = "") -> Kept:
        """Take a batch. Raises Fault for a refusal, and drops the connection where a test has it so."""
        if self.refusing:
            raise self.refusing.pop(0)
        made = Kept(f"batch_{len(self.batches):04}", dict(lines), time.time(), metadata, failed)
        if len(made.lines) < len(lines):
            raise Fault("custom_id: must be unique")
        self.batches[made.id] = made
        self.times.update(list(made.lines))
        if self.dropping:
            raise ConnectionAbortedError
        return made

    def batch(self, batch_id: str) -> Kept:
        """One of them, which ends now unless it is held. Raises Fault."""
        if batch_id not in self.batches:
            raise Fault(f"No batch found with id '{batch_id}'.", 404, None)
        found = self.batches[batch_id]
        self.looks += 1
        if found.results is None and not self.held and not found.failed:
            found.results = []
            for custom_id, body in reversed(found.lines.items()):
                fate = self.fate(custom_id, self.times[custom_id])
                found.fates[fate] += 1
                self.answered[custom_id] += fate == "answered"
                if fate != "missing":
                    found.results.append({"custom_id": custom_id, **self.line(body, fate)})
        return found

    def line(self, body: Body, fate: Fate) -> Body:
        """What became of a question, in the vendor's form."""
        raise NotImplementedError

    def page(self, query: Mapping[str, list[str]], after: str) -> list[Kept]:
        """The newest first."""
        newest = [self.batch(kept.id) for kept in reversed(self.batches.values())]
        ids = [kept.id for kept in newest]
        start = ids.index(query[after][0]) + 1 if after in query else 0
        return newest[start : start + int(query.get("limit", ["20"])[0])]


def _split(path: str) -> tuple[str, dict[str, list[str]]]:
    parts = urlsplit(path)
    return parts.path, parse_qs(parts.query)


def _lines(trees: list[Body]) -> bytes:
    return b"".join(json.dumps(tree).encode() + b"\n" for tree in trees)


class OpenAIBatchServer(Batches, ChatServer):
    """OpenAI with files and batches."""

    def __init__(self, behaviour: Behaviour | None = None, port: int = 0) -> None:
        ChatServer.__init__(self, behaviour, port)
        Batches.__init__(self)
        self.files: dict[str, bytes] = {}
        self.most_enqueued = math.inf
        """Tokens that may be in batches under way; one that goes beyond fails as a whole."""
        self.most_at_once = 0
        """Most batches that were under way together."""

    def beside(self, path: str, headers: Message, content: bytes | None) -> bytes | None:
        """Files and batches."""
        place, query = _split(path)
        if not re.match(r"/v1/(files|batches)", place):
            return ChatServer.beside(self, path, headers, content)
        if not (headers.get("Authorization") or "").startswith("Bearer "):
            raise Fault("You didn't provide an API key.", 401, "invalid_api_key")
        if found := re.fullmatch(r"/v1/files/(\w+)/content", place):
            return self.files[found[1]]
        if place == "/v1/files" and content is not None:
            return json.dumps(self._uploaded(headers, content)).encode()
        return json.dumps(self._about_batches(place, query, content)).encode()

    def _about_batches(self, place: str, query: Mapping[str, list[str]], content: bytes | None) -> Body:
        if place == "/v1/batches" and content is not None:
            return self._shown(self._created(json_object(content)))
        if place == "/v1/batches":
            page = [self._shown(kept) for kept in self.page(query, "after")]
            last = page[-1]["id"] if page else None
            return {"object": "list", "data": page, "has_more": bool(page), "last_id": last}
        return self._shown(self.batch(place.rpartition("/")[2]))

    def _uploaded(self, headers: Message, content: bytes) -> Body:
        boundary = str(headers.get_param("boundary")).encode()
        parts = [part.partition(b"\r\n\r\n") for part in content.split(b"--" + boundary)]
        fields = {re.search(rb'name="(\w+)"', head)[1]: body[:-2] for head, _, body in parts if body}  # type: ignore[index]
        if fields.get(b"purpose") != b"batch":
            raise Fault("'purpose' must be batch")
        file_id = f"file{len(self.files)}"
        self.files[file_id] = fields[b"file"]
        return {
            "id": file_id,
            "object": "file",
            "bytes": len(fields[b"file"]),
            "created_at": int(time.time()),
            "filename": "batch.jsonl",
            "purpose": "batch",
            "status": "processed",
        }

    def _created(self, body: Body) -> Kept:
        if body.get("completion_window") != "24h" or body.get("endpoint") != "/v1/chat/completions":
            raise Fault("completion_window and endpoint are needed")
        if len(self.files[body["input_file_id"]]) > 200_000_000:
            raise Fault("the file is too large")
        lines = [json_object(line) for line in self.files.pop(body["input_file_id"]).splitlines()]
        failed = self.whole or next((words for line in lines if (words := _unlike_a_line(line))), "")
        if len(lines) > 50_000 or len({line["body"]["model"] for line in lines}) != 1:
            failed = "too many requests, or models"
        under_way = [kept for kept in self.batches.values() if not kept.failed and kept.results is None]
        bodies = [(line["custom_id"], line["body"]) for line in lines]
        made = self.create(bodies, body.get("metadata") or {}, failed)
        if not failed and sum(map(enqueued, [made, *under_way])) > self.most_enqueued:
            made.code, made.failed = (
                "token_limit_exceeded",
                (
                    f"Enqueued token limit reached for {lines[0]['body']['model']} in organization org-1. Limit: "
                    f"{self.most_enqueued:,} enqueued tokens. Please try again once some in_progress batches have been "
                    "completed."
                ),
            )
        self.most_at_once = max(self.most_at_once, len(under_way) + (not made.failed))
        return made

    def line(self, body: Body, fate: Fate) -> Body:
        """As the output file and the error file have it."""
        if fate == "expired":
            return {"id": "r", "response": None, "error": {"code": "batch_expired", "message": "not executed in time"}}
        scripted = self.behaviour.script(body, self.record(body).number)
        if fate == "errored":
            scripted = Status(500, message="The server had an error")
        if isinstance(scripted, Status):
            tree, _ = self.error("", Fault(scripted.message, scripted.status, scripted.code))
            return {"id": "r", "response": {"status_code": scripted.status, "body": tree}, "error": None}
        return {"id": "r", "response": {"status_code": 200, "body": self.says(body, scripted)}, "error": None}

    def _shown(self, kept: Kept) -> Body:
        ended = kept.results is not None
        status = "failed" if kept.failed else "in_progress"
        files: Body = {}
        if kept.results is not None:
            status = "expired" if kept.fates["expired"] else "completed"
            good = [r for r in kept.results if (r["response"] or {}).get("status_code") == 200]
            bad = [r for r in kept.results if r not in good] if len(good) < len(kept.results) else []
            for name, found in (("output", good), ("error", bad)):
                self.files[f"{name}{kept.id}"] = _lines(found)
                files[f"{name}_file_id"] = f"{name}{kept.id}" if found else None
        return {
            "id": kept.id,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "input_file_id": "gone",
            "status": status,
            "created_at": int(kept.created_at),
            "metadata": kept.metadata,
            "request_counts": {
                "total": len(kept.lines),
                "completed": kept.fates["answered"],
                "failed": len(kept.lines) - kept.fates["answered"] if ended else 0,
            },
            "errors": {"object": "list", "data": [{"code": kept.code, "message": kept.failed}]}
            if kept.failed
            else None,
            **files,
        }


def enqueued(batch: Kept) -> int:
    """A batch's prompt tokens, as the vendor would count them."""
    return sum(len(json.dumps(body)) // 4 for body in batch.lines.values())


def _unlike_a_line(line: Body) -> str:
    """What is wrong with a line of a batch's file."""
    if set(line) != {"custom_id", "method", "url", "body"} or line["method"] != "POST":
        return "a line has custom_id, method, url and body"
    if line["url"] != "/v1/chat/completions":
        return "the URL of a line must be the endpoint"
    try:
        chat_completions.checked(json.dumps(line["body"]).encode())
    except Fault as fault:
        return str(fault)
    return ""


class AnthropicBatchServer(Batches, MessagesServer):
    """Anthropic with batches of messages."""

    def __init__(self, behaviour: Behaviour | None = None, port: int = 0) -> None:
        MessagesServer.__init__(self, behaviour, port)
        Batches.__init__(self)

    def beside(self, path: str, headers: Message, content: bytes | None) -> bytes | None:
        """Batches."""
        place, query = _split(path)
        if not place.startswith("/v1/messages/batches"):
            return MessagesServer.beside(self, path, headers, content)
        if not headers.get("x-api-key") and not (headers.get("Authorization") or "").startswith("Bearer "):
            raise Fault("x-api-key header is required", 401)
        if found := re.fullmatch(r"/v1/messages/batches/(\w+)/results", place):
            return _lines(self.batch(found[1]).results or [])
        if content is not None:
            return json.dumps(self._shown(self._created(headers, content))).encode()
        if place == "/v1/messages/batches":
            page = [self._shown(kept) for kept in self.page(query, "after_id")]
            last = page[-1]["id"] if page else None
            return json.dumps({"data": page, "has_more": bool(page), "first_id": None, "last_id": last}).encode()
        return json.dumps(self._shown(self.batch(place.rpartition("/")[2]))).encode()

    def _created(self, headers: Message, content: bytes) -> Kept:
        if len(content) > 256_000_000:
            raise Fault("Request exceeds the maximum size", 413)
        requests = json_object(content)["requests"]
        if not 0 < len(requests) <= 100_000:
            raise Fault("requests: between 1 and 100000 are allowed")
        for n, one in enumerate(requests):
            if set(one) != {"custom_id", "params"} or not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", one["custom_id"]):
                raise Fault(f"requests.{n}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'")
            self.checked("/v1/messages", headers, json.dumps(one["params"]).encode())
        return self.create([(one["custom_id"], one["params"]) for one in requests], {})

    def line(self, body: Body, fate: Fate) -> Body:
        """As the stream of results has it."""
        if fate == "expired":
            return {"result": {"type": "expired"}}
        scripted = self.behaviour.script(body, self.record(body).number)
        if fate == "errored":
            scripted = Status(500, message="Internal server error")
        if isinstance(scripted, Status):
            tree, _ = self.error("", Fault(scripted.message, scripted.status))
            return {"result": {"type": "errored", "error": tree}}
        return {"result": {"type": "succeeded", "message": self.says(body, scripted)}}

    def _shown(self, kept: Kept) -> Body:
        at = datetime.fromtimestamp(kept.created_at, UTC).isoformat()
        ended = kept.results is not None
        left = kept.fates["missing"]
        return {
            "id": kept.id,
            "type": "message_batch",
            "processing_status": "ended" if ended else "in_progress",
            "created_at": at,
            "expires_at": at,
            "ended_at": at if ended else None,
            "archived_at": None,
            "cancel_initiated_at": None,
            "results_url": f"{self.origin}/v1/messages/batches/{kept.id}/results" if ended else None,
            "request_counts": {
                "processing": 0 if ended else len(kept.lines),
                "succeeded": kept.fates["answered"] + left,
                "errored": kept.fates["errored"],
                "expired": kept.fates["expired"],
                "canceled": 0,
            },
        }


BatchServer = OpenAIBatchServer | AnthropicBatchServer


def settings_of(server: ModelServer) -> dict[str, Any]:
    """The settings under which questions go to this server in batches."""
    if isinstance(server, OpenAIBatchServer):
        model = {"CPA_MODEL": "openai:gpt-6-luna", "OPENAI_API_KEY": "key", "OPENAI_BASE_URL": server.url}
    else:
        model = {
            "CPA_MODEL": "anthropic:claude-haiku-5-5",
            "ANTHROPIC_API_KEY": "key",
            "ANTHROPIC_BASE_URL": server.origin,
        }
    return {"CPA_LANE": "batch", "CPA_POLL": "0.05", **model}
