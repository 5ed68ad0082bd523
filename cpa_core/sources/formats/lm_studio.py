"""LM Studio's conversation files: each message has versions, of which `currentlySelected` is shown.

Source: https://lmstudio.ai/docs/app/basics/chat (where they are kept). A version is `singleStep`, with content, or
`multiStep`, with steps; a step of thinking bears the style `thinking`.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from cpa_core.sources.files import File
from cpa_core.sources.formats import talks
from cpa_core.sources.formats.form import Format, each
from cpa_core.sources.formats.talks import Made, list_at, object_at
from cpa_core.sources.records import Reject, SourceRecord


def _read(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    tree = talks.record(tree)
    about = talks.head(file, place, tree, "id", start="createdAt", title=tree.get("name"))
    return talks.talk(about, _messages(file, place, tree))


def _messages(file: File, place: str, tree: dict[str, Any]) -> Iterator[Made]:
    yield from talks.turn(file, f"{place}: systemPrompt", "system", tree.get("systemPrompt"))
    for n, message in enumerate(list_at(tree, "messages")):
        versions = [one for one in list_at(message, "versions") if isinstance(one, dict)]
        chosen = message.get("currentlySelected") if isinstance(message, dict) else None
        if not versions:
            yield Reject(f"{place}: messages.{n}", "versions: missing", "{}")
            continue
        version = versions[chosen] if isinstance(chosen, int) and 0 <= chosen < len(versions) else versions[-1]
        where, role = f"{place}: messages.{n}", str(version.get("role") or "")
        yield from talks.turn(file, where, role, version.get("content"))
        for step in list_at(version, "steps"):
            yield from _step(file, where, role, step)


def _step(file: File, place: str, role: str, step: Any) -> Iterable[Made]:
    if object_at(step).get("type") != "contentBlock":
        return talks.silent(file, place, "tool", step) if object_at(step).get("type") == "toolStatus" else iter(())
    thought = object_at(step, "style").get("type") == "thinking"
    return talks.turn(file, place, "reasoning" if thought else role, step.get("content"))


LM_STUDIO = Format(
    name="lm_studio",
    title="LM Studio's conversations",
    kind="conversation",
    signs=("messages[].versions[].role", "messages[].versions[].type messages[].currentlySelected createdAt"),
    read=each(_read),
    docs="https://lmstudio.ai/docs/app/basics/chat",
    ids="none: what was said",
    times="createdAt of the conversation, in milliseconds",
    speech="the version of each message that is selected",
    silent="other versions, steps of thinking, tools, the system prompt",
)
