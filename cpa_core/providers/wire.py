"""What goes to a vendor and comes back: the words of a schema, and JSON of which nothing can be taken for granted."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from cpa_core.errors import ProviderFailed, SettingsError
from cpa_core.llm import HUNG_TRIES, Request

TIMEOUT = 120.0
"""Seconds for one call, unless CPA_TIMEOUT says otherwise. Set always: Anthropic's SDK refuses long answers without."""

IN_WORDS = "Answer with one JSON object of this schema and nothing else:\n"


class Response(NamedTuple):
    """What a server answered, whatever its status. `headers` are found in any case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


def timeout(environ: Mapping[str, str]) -> float:
    """CPA_TIMEOUT, or what we find enough. Raises SettingsError."""
    written = environ.get("CPA_TIMEOUT") or str(TIMEOUT)
    try:
        seconds = float(written)
    except ValueError:
        seconds = 0.0
    if not 0.0 < seconds < float("inf"):
        raise SettingsError(f"CPA_TIMEOUT is {written!r}: seconds for one call of a model are needed")
    return seconds


def unanswered(error: Exception, *, hung: bool) -> ProviderFailed:
    """The failure of a call to which nothing came back; `hung` when its time was over."""
    reason = f"no connection: {type(error.__cause__ or error).__name__}"
    return ProviderFailed(reason, tries=HUNG_TRIES if hung else 1)


def schema_in_words(request: Request) -> str:
    """The static part of a question with its JSON schema at the end, for models that take none beside it."""
    return f"{request.system}\n\n{IN_WORDS}{json.dumps(request.json_schema, ensure_ascii=False)}"


def decoded(content: bytes) -> Any:
    """The JSON in a response. Raises ProviderFailed."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise ProviderFailed("the response is not JSON") from None


def mapping(found: Any) -> dict[str, Any]:
    """It, where it is an object; else an empty one."""
    return found if isinstance(found, dict) else {}


def count(found: Any) -> int | None:
    """It, where it is a whole number; else null."""
    return found if type(found) is int else None
