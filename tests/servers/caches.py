"""What vendors' caches of prompts hold, as their guides say: what a call reads of its prompt, and what it writes.

OpenAI (developers.openai.com, prompt caching, and the SDK's `types/chat/completion_create_params.py`): from gpt-5.6 on
up to marked points, or by itself the whole prompt, matched at those points only; before that whatever beginning was
seen, in steps of 128 tokens, and writing is neither billed nor counted. Anthropic (platform.claude.com, prompt
caching): up to marked blocks. A prompt's JSON schema stands before all of its words.
"""

import json
import re
from typing import NamedTuple

from tests.servers.brain import Body, Question, tokens

LEAST = 1024
"""Tokens of the shortest beginning that is cached: at OpenAI, and for most of Claude."""
STEP = 128
MARKED = re.compile(r"gpt-(5\.6|6|6\.[12])(-|$)")
"""OpenAI's models that know marked points; the others refuse them."""
BY_THEMSELVES = re.compile(r"gpt-(4o|4\.1|5)|o\d")


class Read(NamedTuple):
    """Tokens of a prompt, those of them that were in the cache, and those that are from now on."""

    whole: int
    cached: int = 0
    written: int = 0


class Cache:
    """One vendor's."""

    def __init__(self, least: int = LEAST) -> None:
        self.least = least
        self.known: set[str] = set()

    def openai(self, body: Body, question: Question) -> Read:
        """What a chat completion reads."""
        first = body["messages"][0]["content"]
        static = _static(question)
        whole = static + question.user
        if not MARKED.match(body["model"]):
            return self._by_itself(body["model"], static, whole)
        if (body.get("prompt_cache_options") or {}).get("mode") != "explicit":
            return self._at(whole, whole)
        is_marked = isinstance(first, list) and "prompt_cache_breakpoint" in first[-1]
        return self._at(static, whole) if is_marked else Read(tokens(whole))

    def anthropic(self, body: Body, question: Question) -> Read:
        """What a message reads."""
        static = _static(question)
        whole = static + question.user
        is_marked = any("cache_control" in block for block in body["system"])
        return self._at(static, whole) if is_marked else Read(tokens(whole))

    def _at(self, prefix: str, whole: str) -> Read:
        size = tokens(prefix)
        if size < self.least:
            return Read(tokens(whole))
        is_known = prefix in self.known
        self.known.add(prefix)
        return Read(tokens(whole), size if is_known else 0, 0 if is_known else size)

    def _by_itself(self, model: str, static: str, whole: str) -> Read:
        found = self._at(static, whole)
        return Read(found.whole, found.cached // STEP * STEP if BY_THEMSELVES.match(model) else 0)


def _static(question: Question) -> str:
    return (json.dumps(question.schema) if question.schema else "") + question.system
