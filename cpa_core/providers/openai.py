"""OpenAI's chat completions, and every server of the same form."""

import hashlib
import weakref
from typing import Any, NamedTuple

import httpx2
import openai as sdk

from cpa_core.errors import ProviderFailed, ReplyInvalid, SettingsError
from cpa_core.llm import HUNG_TRIES, NOT_BILLED, Reply, Request, Usage
from cpa_core.llm.abilities import LADDER, Abilities, Discovery, Structured
from cpa_core.llm.reading import fits, read_reply
from cpa_core.providers.connections import http_client
from cpa_core.providers.foreign import foreign, form_of
from cpa_core.providers.messages import answer_text, content_text, has_reasoned
from cpa_core.providers.statuses import answered, fault, refuses_schema
from cpa_core.providers.vendors import OWN, Vendor, query_of, vendor_of
from cpa_core.providers.wire import Response, count, decoded, mapping, patience, received, schema_in_words, unanswered
from cpa_core.settings import TIMEOUT, Settings

NO_EFFORT = ("gpt-6-luna", "gpt-6-sol", "gpt-6.1-terra", "gpt-5.6", "gpt-5.4-mini")
"""Models known to accept reasoning effort `none`; tagging needs no reasoning tokens.

Source: the profiles of pydantic-ai 2.68 (`profiles/openai.py`); `gpt-6-astra` and `gpt-6.1-sol` refuse it. With an
effort, the gpt-6 family refuses temperature, top_p and logprobs (developers.openai.com, deployment checklist): we send
none.
"""
NO_REASONING = ("gpt-4", "gpt-3.5", "chatgpt-4o", "ft:gpt-4", "ft:gpt-3.5")
"""Older models, without hidden reasoning and with a low limit for the answer.

Sources: pydantic-ai 2.68 (`profiles/openai.py`: the o-series and gpt-5 and later reason, no other); gpt-3.5-turbo and
gpt-4-turbo answer in 4,096 tokens at most (platform.openai.com/docs/models).
"""
REASONING_ROOM = 8_000
"""Tokens for the hidden reasoning of every other model, known or not: it counts towards the answer's limit."""
MARKED = ("gpt-5.6", "gpt-6-", "gpt-6.1-", "gpt-6.2-")
"""Models that get a mark at the end of the questions' shared part: their cache is written and read up to there.

They bill written tokens at 1.25 times the price of input. By default they also write each conversation, which is never
sent again. Source: the SDK's `types/chat/completion_create_params.py` and the names in its
`types/shared/chat_model.py`. There `prompt_cache_options` are for gpt-5.6 and later. OpenAI's page on prompt caching
advises a key for them too. Older models refuse it (anomalyco/opencode#36315), and so do some servers that forward to
OpenAI (Kilo-Org/kilocode#13285): these are then asked without it.
"""

CUT_OFF = ("length", "max_tokens", "MAX_TOKENS", "model_length")
"""Finish reasons of an answer that is not whole: OpenAI's, Claude's and Gemini's through gateways, Mistral's."""
ENDED = ("error",)
"""Finish reasons of an answer that the server broke off."""
HALF_TRIES = 1.5
"""The tries, of a question's four, that half an answer or none with status 200 uses: the question ends after three.

Each may be billed.

Source: maximhq/bifrost#5425 (`finish_reason: error`, the usage null).
"""


class Form(NamedTuple):
    """The form of a request: the shape of its answer, and whether it marks the end of the cached part."""

    structured: Structured
    marked: bool


FLEX_TIMEOUT = 900.0
"""Seconds for one call in the flex lane, as OpenAI's guide to it advises (developers.openai.com, flex processing)."""


class ChatCompletions:
    """One server. `is_openai` chooses between OpenAI's parameters and those every compatible server knows.

    If no form is named (`how` is null), `discovery` finds it. `url` is the address that its abilities belong to.
    """

    def __init__(
        self,
        key: str,
        url: str | None,
        *,
        is_openai: bool,
        timeout: float = TIMEOUT,
        how: Structured | None = "strict",
        vendor: Vendor = OWN,
    ) -> None:
        self.is_openai = is_openai
        self.is_flex = False
        self.discovery = Discovery(vendor.takes[0]) if how is None else None
        self._timeout = timeout
        self._client = client(key, url, timeout, vendor)
        self.url = str(self._client.base_url).rstrip("/")
        self.asked_at = f"{self.url}/chat/completions{query_of(url or '', vendor)}"
        self._limit = vendor.limit
        self._form = Form(how or LADDER[0], is_openai)
        weakref.finalize(self, self._client.close)  # else its sockets wait for the garbage collector

    def call(self, request: Request) -> Reply:
        """Ask once. Options that the model or the server refuses are left out from then on."""
        if self.discovery:
            return self._discovered(request, self.discovery)
        sent = self._form
        response = self._post(request, sent)
        while other := _without(response, sent):
            self._form = sent = other
            response = self._post(request, sent)
        return answered(response, decode)

    def _discovered(self, request: Request, discovery: Discovery) -> Reply:
        """Ask in the server's known form; else ask once, to learn it."""
        with discovery.turn() as is_finding_out:
            abilities = discovery.now
            room = REASONING_ROOM if abilities.reasons else 0
            try:
                roomy = request.model_copy(update={"max_tokens": request.max_tokens + room})
                response = self._post(roomy, Form(abilities.structured, marked=False))
                if self._limit == "max_tokens" and _refuses_limit(response):
                    self._limit = "max_completion_tokens"
                    response = self._post(roomy, Form(abilities.structured, marked=False))
                if _refuses_form(response):
                    return _passed_by(abilities, NOT_BILLED if response.status != 200 else Usage(), discovery)
                reply = answered(response, decode)
            except ProviderFailed as failed:
                if failed.tries >= HUNG_TRIES:
                    discovery.give_up()
                raise
            is_cut_short = reply.outcome == "truncated"
            if (
                (_has_reasoned(response) or (is_cut_short and _is_empty(response)))
                and discovery.reasons()
                and is_cut_short
            ):
                return reply.model_copy(update={"again": True})
            return _learned(request, reply, abilities, discovery) if is_finding_out else reply

    def _post(self, request: Request, form: Form) -> Response:
        """Below `create`, whose checks of a body that is always of one form take longer than the call itself."""
        built = body(request, is_openai=self.is_openai, structured=form.structured, marked=form.marked)
        if self.is_flex:
            built["service_tier"] = "flex"
        if not self.is_openai and self._limit != "max_tokens":
            built[self._limit] = built.pop("max_tokens")
        return posted(self._client, self.asked_at, built, patience(self._timeout, request))

    def room(self) -> int:
        """Tokens that a call made now may add to an answer for reasoning, beside those that its question asks for."""
        return REASONING_ROOM if self.discovery and self.discovery.may_reason() else 0

    def flex(self) -> "ChatCompletions":
        """The same, at half the price and in no hurry."""
        self.is_flex, self._timeout = True, max(self._timeout, FLEX_TIMEOUT)
        return self


def posted(client: sdk.OpenAI, url: str, built: dict[str, Any], seconds: float) -> Response:
    """Post a body and return the response, whatever its status. Raises ProviderFailed when there is none.

    Source of the error classes: the SDK's `_exceptions.py`.
    """
    options: sdk.RequestOptions = {"timeout": seconds}
    try:
        found = client.post(url, body=built, cast_to=httpx2.Response, options=options)
    except sdk.APIStatusError as error:
        found = error.response
    except sdk.APIConnectionError as error:
        raise unanswered(error, hung=isinstance(error, sdk.APITimeoutError)) from None
    return received(found)


def client(key: str, url: str | None, timeout: float, vendor: Vendor) -> sdk.OpenAI:
    """The SDK's client of a server, which repeats nothing: the engine does."""
    base, headers = url and url.partition("?")[0], {vendor.key_header: key} if vendor.key_header else None
    return sdk.OpenAI(
        api_key=key,
        base_url=base,
        max_retries=0,
        timeout=timeout,
        http_client=http_client(timeout),
        default_headers=headers,
    )


def _without(response: Response, sent: Form) -> Form | None:
    """Return the form without the option for which a request was refused; null for any other answer."""
    found = fault(response) if response.status in (400, 422) else None
    if sent.marked and found and "prompt_cache" in f"{found.parameter} {found.message}":
        return sent._replace(marked=False)
    return sent._replace(structured="prompt") if sent.structured != "prompt" and refuses_schema(response) else None


def _refuses_form(response: Response) -> bool:
    """Whether a server does not take the form: by its words, or with an answer that has no choices.

    The latter: modelscope/modelscope#1801. Other errors, and filters, have a form of their own.
    """
    if response.status != 200:
        return refuses_schema(response)
    try:
        tree = mapping(decoded(response.content))
    except ProviderFailed:
        return False
    return "choices" in tree and tree["choices"] is None and not tree.get("error")


def _refuses_limit(response: Response) -> bool:
    """Whether the model wants another name for the room of its answer, as OpenAI's that reason do behind a gateway."""
    return response.status in (400, 422) and "max_completion_tokens" in fault(response).message


def _has_reasoned(response: Response) -> bool:
    return has_reasoned(_message(response))


def _is_empty(response: Response) -> bool:
    """Whether nothing of an answer came: all of its room went to thoughts that are not shown, as Gemini's are."""
    return response.status == 200 and not answer_text(_message(response)).strip()


def _message(response: Response) -> dict[str, Any]:
    choices = mapping(decoded(response.content)).get("choices") if response.status == 200 else None
    return mapping(mapping(choices[0]).get("message")) if isinstance(choices, list) and choices else {}


def _learned(request: Request, reply: Reply, abilities: Abilities, discovery: Discovery) -> Reply:
    """Record whether the request's form works, and return the reply."""
    if reply.outcome not in ("ok", "invalid"):
        return reply
    try:
        reading = read_reply(reply.text, request)
    except ReplyInvalid:
        reading = None
    if reading and reading.whole:
        discovery.works()
        return reply
    if reading and fits(reading.tree, request.json_schema):
        discovery.fits()
    passed_by = _passed_by(abilities, reply.usage, discovery)
    return passed_by.model_copy(update={"text": reply.text}) if passed_by.again else reply


def _passed_by(abilities: Abilities, usage: Usage, discovery: Discovery) -> Reply:
    """An answer that only shows that a form does not work; asked again in the next form, if there is one."""
    again = discovery.fails(abilities.structured)
    words = f"the server does not answer in the schema's shape when asked by {abilities.structured}"
    return Reply(outcome="invalid", detail=words, usage=usage, again=again)


def body(
    request: Request, *, is_openai: bool, structured: Structured = "strict", marked: bool = True
) -> dict[str, Any]:
    """The call's parameters. No sampling parameters: current models reject them."""
    beside = structured in ("strict", "lax")
    static = request.system if beside else schema_in_words(request)
    cached = is_openai and marked and request.model.startswith(MARKED)
    built: dict[str, Any] = {
        "model": request.model,
        "messages": [
            {"role": "system", "content": _marked(static) if cached else static},
            {"role": "user", "content": request.user},
        ],
    }
    if cached:
        built["prompt_cache_options"] = {"mode": "explicit"}
        built["prompt_cache_key"] = hashlib.sha256(static.encode("utf-8", "replace")).hexdigest()[:32]
    if beside:
        wanted = {"name": request.task, "strict": structured == "strict", "schema": request.json_schema}
        built["response_format"] = {"type": "json_schema", "json_schema": wanted}
    elif structured == "json_object":
        built["response_format"] = {"type": "json_object"}
    if not is_openai:
        return built | {"max_tokens": request.max_tokens, "stream": False}
    if request.effort or request.model.startswith(NO_EFFORT):
        return built | {
            "max_completion_tokens": request.max_tokens,
            "reasoning_effort": request.effort or "none",
        }
    return built | {"max_completion_tokens": request.max_tokens + room(request.model)}


def room(model: str) -> int:
    """Return the tokens of an answer's limit for hidden reasoning, if the request to OpenAI's model sets no effort."""
    return 0 if model.startswith((*NO_EFFORT, *NO_REASONING)) else REASONING_ROOM


def _marked(static: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": static, "prompt_cache_breakpoint": {"mode": "explicit"}}]


def decode(raw: Any) -> Reply:
    """The reply in a chat completion's JSON. Its `prompt_tokens` already include the cached ones.

    Raises ProviderFailed if it is none.
    """
    if "choices" not in mapping(raw):
        raise foreign(form_of(raw), HALF_TRIES)
    choices = raw["choices"]
    if not isinstance(choices, list) or not choices:
        raise ProviderFailed("the response has no choices", tries=HALF_TRIES)
    usage = _usage(mapping(raw.get("usage")))
    lane = "flex" if raw.get("service_tier") == "flex" else "standard"
    return _said(choices, usage).model_copy(update={"lane": lane})


def _said(choices: list[Any], usage: Usage) -> Reply:
    choice = mapping(choices[0])
    message, finish = mapping(choice.get("message")), choice.get("finish_reason")
    if message.get("refusal"):
        return Reply(outcome="refused", detail="the model refused", usage=usage)
    if finish == "content_filter":
        return Reply(outcome="filtered", detail="the provider's content filter", usage=usage)
    if finish in CUT_OFF:
        return Reply(outcome="truncated", detail="the answer reached its length limit", usage=usage)
    if finish in ENDED:
        raise ProviderFailed("the server ended the answer with an error", tries=HALF_TRIES)
    text = answer_text(message) or content_text(choice.get("text"))
    if not text.strip():
        return Reply(outcome="invalid", detail="answer: empty", usage=usage)
    return Reply(outcome="ok", text=text, usage=usage)


def _usage(raw: dict[str, Any]) -> Usage:
    details = mapping(raw.get("prompt_tokens_details"))
    return Usage(
        prompt_tokens=count(raw.get("prompt_tokens")),
        cached_tokens=count(details.get("cached_tokens")),
        cache_write_tokens=count(details.get("cache_write_tokens")),
        completion_tokens=count(raw.get("completion_tokens")),
    )


def openai(given: Settings) -> ChatCompletions:
    """Return the provider for OpenAI, or for the server at OPENAI_BASE_URL."""
    if not given.openai.key:
        raise SettingsError("OPENAI_API_KEY is not set, and the model is of provider openai")
    made = ChatCompletions(given.openai.key, given.openai.url, is_openai=True, timeout=given.timeout)
    return made.flex() if given.lane == "flex" else made


def compatible(given: Settings) -> ChatCompletions:
    """Any other server of the same form, at CPA_COMPATIBLE_URL: Ollama, vLLM, Groq and so on."""
    server = given.compatible
    if not server.url:
        raise SettingsError("CPA_COMPATIBLE_URL is not set, as in http://127.0.0.1:11434/v1 for Ollama")
    how = None if server.structured == "auto" else server.structured
    return ChatCompletions(
        server.key or "none",
        server.url,
        is_openai=False,
        timeout=given.timeout,
        how=how,
        vendor=vendor_of(server.url),
    )
