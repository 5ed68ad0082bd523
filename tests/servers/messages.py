"""A loopback server that speaks Anthropic's messages, and Amazon Bedrock's form of them, and answers as Claude would.

Written after the SDK's own source (`anthropic/resources/messages`, `anthropic/lib/bedrock`), platform.claude.com/docs
and docs.aws.amazon.com/bedrock (InvokeModel).
"""

import re
from collections.abc import Mapping
from email.message import Message
from typing import Any
from urllib.parse import unquote

from tests.servers import brain, schema_limits
from tests.servers.brain import Body, Question, tokens
from tests.servers.caches import Cache
from tests.servers.scripted import (
    Behaviour,
    Fault,
    Filtered,
    ModelServer,
    Refused,
    Scripted,
    Truncated,
    json_object,
    said,
    strict,
)

INVOKE = re.compile(r"/model/([^/]+)/invoke")
SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^/]+/\d{8}/[\w-]+/bedrock/aws4_request, SignedHeaders=.+, Signature=\w+"
)
KNOWN = {"model", "system", "messages", "max_tokens", "thinking", "output_config"}
QUIET = ("claude-haiku-5-5",)
"""Models that may be told not to think."""
OLDER = ("claude-3", "claude-haiku-4", "claude-sonnet-4", "claude-opus-4")
"""Models that do not think unless they are told to."""
THOUGHT = "The user wants JSON."
TYPES = {
    400: ("invalid_request_error", "ValidationException"),
    401: ("authentication_error", "UnrecognizedClientException"),
    402: ("billing_error", "ValidationException"),
    403: ("permission_error", "AccessDeniedException"),
    404: ("not_found_error", "ResourceNotFoundException"),
    424: ("api_error", "ModelErrorException"),
    429: ("rate_limit_error", "ThrottlingException"),
    503: ("api_error", "ServiceUnavailableException"),
    529: ("overloaded_error", "ServiceUnavailableException"),
}


class MessagesServer(ModelServer):
    """Anthropic at `url`, Bedrock at `url` as well: the path tells them apart."""

    def __init__(self, behaviour: Behaviour | None = None, port: int = 0) -> None:
        super().__init__(behaviour, port)
        self.cache = Cache()

    @property
    def url(self) -> str:
        """What ANTHROPIC_BASE_URL or AWS_ENDPOINT_URL_BEDROCK_RUNTIME is set to."""
        return self.origin

    def checked(self, path: str, headers: Message, content: bytes) -> Body:
        """As each of them checks, the key first. The model of Bedrock's path is put into the body."""
        invoked = INVOKE.fullmatch(path)
        if invoked:
            body = _of_bedrock(unquote(invoked[1]), headers, content)
        elif path == "/v1/messages":
            body = _of_anthropic(headers, content)
        else:
            raise Fault(f"Not found: {path}", 404, None)
        _well_formed(body)
        _shaped(body.get("output_config"), structured=self.behaviour.structured)
        return body

    def question(self, body: Body) -> Question:
        """The blocks of the system text and the one message."""
        system = "".join(block["text"] for block in body["system"])
        shape = body.get("output_config")
        return Question(system, body["messages"][-1]["content"], shape["format"]["schema"] if shape else None)

    def says(self, body: Body, scripted: Scripted | None) -> Body:
        """A message, with a block of thinking first where the model could not be told not to think."""
        question = self.question(body)
        text = said(brain.answer(question), scripted)
        thinks = "thinking" not in body and not any(name in body["model"] for name in OLDER)
        content: list[Body] = [{"type": "thinking", "thinking": THOUGHT, "signature": "c2ln"}] if thinks else []
        stop = {Truncated: "max_tokens", Refused: "refusal", Filtered: "refusal"}.get(type(scripted), "end_turn")
        content += [{"type": "text", "text": text, "citations": None}] if stop != "refusal" else []
        return {
            "id": f"msg_{brain.number(question.system, question.user):x}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": content,
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": {**self._read(body, question), "output_tokens": tokens(text) + thinks * tokens(THOUGHT)},
        }

    def _read(self, body: Body, question: Question) -> Body:
        """Tokens read: those that are cached, or are from now on, are not among `input_tokens`."""
        with self.guard:
            whole, cached, written = self.cache.anthropic(body, question)
        bare = whole - cached - written
        return {"input_tokens": bare, "cache_creation_input_tokens": written, "cache_read_input_tokens": cached}

    def error(self, path: str, fault: Fault) -> tuple[Body, Mapping[str, str]]:
        """Anthropic's form, or Bedrock's with the kind in a header."""
        ours, amazons = TYPES.get(fault.status, ("api_error", "InternalServerException"))
        if path.startswith("/model/"):
            kind = f"{amazons}:http://internal.amazon.com/coral/com.amazon.bedrock/"
            return {"message": str(fault)}, {"x-amzn-ErrorType": kind}
        return {"type": "error", "error": {"type": ours, "message": str(fault)}, "request_id": "req_1"}, {}


def _of_anthropic(headers: Message, content: bytes) -> Body:
    """The key stands in either header: the SDK's 2.12 sends it as a bearer token, earlier ones as x-api-key."""
    if not headers.get("x-api-key") and not (headers.get("Authorization") or "").startswith("Bearer "):
        raise Fault("x-api-key header is required", 401)
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", headers.get("anthropic-version") or ""):
        raise Fault("anthropic-version: header is required")
    body = json_object(content)
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise Fault("model: Field required")
    return body


def _of_bedrock(model: str, headers: Message, content: bytes) -> Body:
    signature = headers.get("Authorization") or ""
    if not SIGNED.fullmatch(signature) and not signature.startswith("Bearer "):
        raise Fault("Missing Authentication Token", 403)
    if SIGNED.fullmatch(signature) and not headers.get("X-Amz-Date"):
        raise Fault("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.", 403)
    body = json_object(content)
    if not body.pop("anthropic_version", None):
        raise Fault("anthropic_version: Field required")
    if "model" in body:
        raise Fault("model: Extra inputs are not permitted")
    return {"model": model, **body}


def _well_formed(body: Body) -> None:
    if unknown := sorted(set(body) - KNOWN):
        sampling = {"temperature", "top_p", "top_k"} & set(unknown)
        words = "is deprecated for this model." if sampling else "Extra inputs are not permitted"
        raise Fault(f"`{unknown[0]}` {words}" if sampling else f"{unknown[0]}: {words}")
    if type(body.get("max_tokens")) is not int or body["max_tokens"] < 1:
        raise Fault("max_tokens: a whole number of at least 1 is needed")
    messages = body.get("messages")
    if not isinstance(messages, list) or [m.get("role") for m in messages] != ["user"]:
        raise Fault("messages: one of role user is wanted")
    if not isinstance(messages[0].get("content"), str) or not messages[0]["content"]:
        raise Fault("messages.0.content: text is needed")
    if set(messages[0]) != {"role", "content"}:
        raise Fault("messages.0: Extra inputs are not permitted")
    blocks = body.get("system")
    if not isinstance(blocks, list) or not all(_is_text(block) for block in blocks):
        raise Fault("system: blocks of text are needed")
    if "thinking" in body and not (body["thinking"] == {"type": "disabled"} and any(n in body["model"] for n in QUIET)):
        raise Fault('"thinking.type.disabled" is not supported for this model.')


def _is_text(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") == "text" and isinstance(block.get("text"), str)


def _shaped(shape: Any, *, structured: bool) -> None:
    if shape is None:
        return
    if not structured:
        raise Fault("output_config: Extra inputs are not permitted")
    wanted = shape.get("format") or {}
    if wanted.get("type") != "json_schema" or set(wanted) != {"type", "schema"}:
        raise Fault("format: json_schema and a schema are needed")
    if shape.get("effort") not in (None, "low", "medium", "high", "max"):
        raise Fault("effort: unknown")
    strict(wanted["schema"], "schema")
    schema_limits.anthropic(wanted["schema"])
