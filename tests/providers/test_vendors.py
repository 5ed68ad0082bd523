"""Each vendor's row is true: its address is known, and a server that takes and refuses as the row says is answered."""

import json
from email.message import Message
from pathlib import Path

import pytest

from cpa_core.llm import Request
from cpa_core.providers.openai import ChatCompletions, compatible
from cpa_core.providers.vendors import OWN, VENDORS, Vendor, vendor_of
from cpa_core.settings import settings
from tests.servers.brain import Body
from tests.servers.chat_completions import Behaviour, ChatServer, Fault, Garbage
from tests.servers.scripted import Call, json_object
from tests.support.fakes import ABOUT, engine, request

ROOT = Path(__file__).parents[2]
KNOWN = {"model", "messages", "response_format", "max_tokens", "max_completion_tokens", "stream"}
FORMS = {"json_schema": "strict", "json_object": "json_object", "prompt": "prompt"}
ASKED = request(json_schema={"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]})


class VendorServer(ChatServer):
    """A server that is as strict as a row of the table says."""

    def __init__(self, vendor: Vendor, path: str) -> None:
        text = json.dumps({"choices": [{"message": {"content": '{"a": 1}'}, "finish_reason": "stop"}]}).encode()
        super().__init__(Behaviour(lambda body, number: Garbage(text)))
        self.vendor = vendor
        self.path = path
        self.sent: list[str] = []

    def checked(self, path: str, headers: Message, content: bytes) -> Body:
        """The key, the path, the names of the body and the form of JSON."""
        body = json_object(content)
        form = FORMS[(body.get("response_format") or {"type": "prompt"})["type"]]
        self.sent.append(form)
        if headers["Authorization"] != "Bearer k" or (
            self.vendor.key_header and headers[self.vendor.key_header] != "k"
        ):
            raise Fault("no key", 401)
        if path != f"{self.path}/chat/completions":
            raise Fault(f"no such path: {path}", 404)
        if set(body) - KNOWN or self.vendor.limit not in body or body["stream"] is not False:
            raise Fault(f"extra_forbidden: {sorted(body)}", 422)
        if form not in self.vendor.takes:
            raise Fault("This response_format type is unavailable now")
        if form == "json_object" and "json" not in json.dumps(body["messages"]).lower():
            raise Fault("the word json is needed")
        return body

    def record(self, body: Body) -> Call:
        """Whatever is asked, the answer is the same."""
        return Call("tag", "", 1, (), 0.0)


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda one: one.name)
def test_a_server_as_strict_as_the_row_is_answered(vendor: Vendor) -> None:
    path = "/" + vendor.url.split("/", 3)[3]
    with VendorServer(vendor, path) as server:
        made = ChatCompletions("k", f"{server.origin}{path}", is_openai=False, how=None, vendor=vendor)
        assert _asked(made, ASKED) == "ok"
        assert server.faults == []
        assert server.sent == [vendor.takes[0]], "the first form that the vendor takes, and no call more"


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda one: one.name)
def test_what_a_row_does_not_take_is_found_out(vendor: Vendor) -> None:
    only = vendor._replace(takes=("prompt",))
    path = "/" + vendor.url.split("/", 3)[3]
    with VendorServer(only, path) as server:
        made = ChatCompletions("k", f"{server.origin}{path}", is_openai=False, how=None, vendor=vendor)
        assert _asked(made, ASKED) == "ok"
        assert server.sent[-1] == "prompt" and len(server.sent) <= 3


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda one: one.name)
def test_a_vendor_is_known_by_its_host(vendor: Vendor) -> None:
    assert vendor_of(vendor.url) is (vendor if vendor.hosts else OWN)
    made = compatible(settings({"CPA_COMPATIBLE_URL": vendor.url, "CPA_COMPATIBLE_KEY": "k"}))
    assert made.url == vendor.url.lower().rstrip("/") or made.url == vendor.url
    assert vendor.sources and vendor.key


def test_azures_older_addresses_need_a_version() -> None:
    path = "/openai/deployments/mine"
    azure = VENDORS[0]
    with VendorServer(azure, path) as server:
        server.path = f"{path}"
        for query, sent in (("", "?api-version=2024-10-21"), ("?api-version=2025-01-01-preview",) * 2):
            made = ChatCompletions("k", f"{server.origin}{path}{query}", is_openai=False, how=None, vendor=azure)
            assert made.asked_at == f"{server.origin}{path}/chat/completions{sent}"


def test_a_host_that_only_looks_like_a_vendors_is_none() -> None:
    for url in ("https://api.x.ai.example.com/v1", "https://notapi.x.ai/v1", "https://openrouter.ai.evil.example/v1"):
        assert vendor_of(url) is OWN


def test_a_model_that_wants_another_name_for_its_limit_gets_it() -> None:
    class Reasoning(VendorServer):
        def checked(self, path: str, headers: Message, content: bytes) -> Body:
            if "max_tokens" in json_object(content):
                raise Fault("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
            return super().checked(path, headers, content)

    with Reasoning(OWN._replace(limit="max_completion_tokens"), "/v1") as server:
        assert _asked(ChatCompletions("k", server.url, is_openai=False, how=None), ASKED) == "ok"


def test_every_vendor_stands_in_the_guide() -> None:
    page = (ROOT / "docs" / "guides" / "models.md").read_text("utf-8")
    for vendor in VENDORS:
        assert f"| {vendor.name} | `{vendor.url}` |" in page
        assert vendor.key in page and vendor.refuses in page


def _asked(made: ChatCompletions, question: Request) -> str:
    return engine(made).ask(question, lambda text: None, ABOUT).outcome
