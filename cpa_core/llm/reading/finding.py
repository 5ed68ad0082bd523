"""The JSON values that stand in a reply, outside a model's reasoning and its prose."""

import json
import re
from typing import Any, NamedTuple

MOST_TRIES = 500
"""The most brackets at which a value is searched: a reply of brackets alone must not take seconds."""
NAMES = r"(?:think|thinking|thought|thoughts|reasoning|reflection|scratchpad|analysis|seed:think)"
OPENING = (
    rf"<{NAMES}>|\[THINK\]|◁think▷|<\|START_THINKING\|>|<\|channel\|>\s*(?:analysis|commentary)\b|<unused94>"
    r"|<\|channel>\s*thought\b|here(?:'s| is) my thought process:"
)
CLOSING = (
    rf"</{NAMES}>|\[/THINK\]|◁/think▷|<\|END_THINKING\|>"
    r"|<\|channel\|>\s*final\s*(?:\w+\s*)?(?:<\|constrain\|>\s*\w+\s*)?<\|message\|>|<unused95>"
    r"|<\|end\|>(?=\s*[{\[])|<channel\|>|here(?:'s| is) my response:"
)
"""How models mark their reasoning if the server leaves it in the answer.

Sources: DeepSeek, Qwen and most others `<think>` (vllm-project/vllm#18255). Magistral `[THINK]`
(mistralai/mistral-common, `tokens/tokenizers/base.py`). Kimi `◁think▷` (MoonshotAI/Kimi-VL). Command A Reasoning
`<|START_THINKING|>` (docs.cohere.com, reasoning). gpt-oss its channels (openai/harmony; with a kind after the channel's
name, openai/harmony#56; without a last channel, ggml-org/llama.cpp#15181). MedGemma `<unused94>`. Gemma 4
`<|channel>thought` (vllm-project/vllm#38858). Granite two sentences (vllm-project/vllm#14202). Seed `<seed:think>`
(ByteDance-Seed/seed-oss).
"""
MARK = re.compile(rf"(?P<opening>{OPENING})|(?P<closing>{CLOSING})|(?P<bracket>[{{\[])", re.IGNORECASE)
TOKENS = re.compile(r"[\s`]+|<\|\w+\|>")
"""Text allowed after an answer: spaces, the end of a fence, tokens of a template."""
CLOSED = re.compile(CLOSING, re.IGNORECASE)
BROKEN = re.compile(r"""[{\[]\s*["'{\[]""")
ENDED = re.compile(r"""["'}\]]\s*[}\]]""")
"""Remains of unreadable JSON: its beginning, and its end. Prose with a bracket looks different."""
INSIDE = re.compile(r"""[{\[]|["']\s*:""")
"""Text that precedes an inner value in JSON."""


class Standing(NamedTuple):
    """The content of a reply without its reasoning: JSON values in order, the text around them, and all as `rest`.

    `is_open` is true if a mark of reasoning was never closed and the reply does not end with a value.
    """

    values: tuple[Any, ...]
    around: str
    rest: str
    is_open: bool = False

    @property
    def is_broken(self) -> bool:
        """Return whether unreadable JSON stands beside the values, which may be part of it.

        An end alone, after a whole value, is none (MemberJunction/MJ#3065).
        """
        if BROKEN.search(self.around):
            return True
        return ENDED.search(self.around) is not None and INSIDE.search(self.around) is not None


class Contradiction(ValueError):
    """An object has two different values under one name."""


def loads(text: str) -> Any:
    """The JSON that a text is. Raises ValueError and RecursionError, as `json.loads`, and for a name given twice."""
    value, end = DECODER.raw_decode(text, _start(text, 0))
    if text[end:].strip():
        raise ValueError("more than one value")
    return value


def standing(text: str) -> Standing:
    """The JSON values of a reply. Values inside another value or inside reasoning do not count.

    Everything before the last closing mark is reasoning, because a model that quotes a conversation in its thoughts may
    quote such a mark. A mark inside a string of a value does not count.
    """
    values: list[Any] = []
    around: list[str] = []
    rest: list[str] = []
    kept = place = tries = 0
    is_open = False
    while tries < MOST_TRIES and (mark := MARK.search(text, place)):
        place = mark.end()
        if mark["bracket"]:
            tries += 1
            try:
                value, place = DECODER.raw_decode(text, mark.start())
            except (ValueError, RecursionError):
                continue
            values.append(value)
            around.append(text[kept : mark.start()])
            rest.append(text[kept:place])
            kept = place
        elif mark["closing"]:
            values, around, rest, kept, is_open = [], [], [], place, False
        elif closed := CLOSED.search(text, place):
            around.append(text[kept : mark.start()])
            rest.append(text[kept : mark.start()])
            kept = place = closed.end()
        else:
            is_open = True
    after = text[kept:]
    is_open = is_open and (not values or TOKENS.sub("", after) != "")
    return Standing(tuple(values), "".join([*around, after]), "".join([*rest, after]), is_open)


def _start(text: str, place: int) -> int:
    while place < len(text) and (text[place].isspace() or text[place] == "\ufeff"):
        place += 1
    return place


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs) and any(found[name] != value for name, value in pairs):
        raise Contradiction("an object says two things under one name")
    return found


def _no_number(written: str) -> Any:
    raise ValueError(f"{written} is no JSON")


DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_number, strict=False)
"""Takes line breaks inside strings, which small models leave unescaped (langchain-ai/langchain#5952)."""
