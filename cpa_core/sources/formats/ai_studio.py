"""Prompts of Google AI Studio, as it saves them in Drive: `{"chunkedPrompt": {"chunks": [{role, text}]}}`.

Source: https://github.com/Sinity/polylogue/blob/master/docs/providers/gemini.md (Google documents none). A chunk that
`isThought` is no speech; images and files are named by their place in Drive.
"""

from collections.abc import Iterator
from typing import Any

from cpa_core.sources.files import File
from cpa_core.sources.formats.form import each
from cpa_core.sources.formats.openai_chat import OPENAI, conversation
from cpa_core.sources.formats.talks import list_at, object_at
from cpa_core.sources.records import Reject, SourceRecord

FILES = ("driveDocument", "driveImage", "driveVideo", "driveAudio", "inlineFile", "inlineData", "youtubeVideo")


def _prompt(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    chunks = [one for one in list_at(tree, "chunkedPrompt", "chunks") if isinstance(one, dict)]
    system = object_at(tree, "systemInstruction")
    return conversation(file, place, {}, list(map(_message, chunks)), system.get("text") or system.get("parts"))


def _message(chunk: dict[str, Any]) -> dict[str, Any]:
    """A chunk as a message of parts: text, a thought, or what a person added to the prompt."""
    text = chunk.get("text")
    said = {"text": text, **({"thought": True} if chunk.get("isThought") is True else {})}
    parts: list[Any] = [said] if text else []
    parts += [{key: chunk[key]} for key in FILES if chunk.get(key)]
    return {"role": chunk.get("role"), "parts": parts, "timestamp": chunk.get("createTime")}


AI_STUDIO = OPENAI._replace(
    name="ai_studio",
    title="prompts of Google AI Studio",
    signs=("chunkedPrompt.chunks[].role", "chunkedPrompt.chunks[].role chunkedPrompt.chunks[].text runSettings"),
    read=each(_prompt),
    docs="https://github.com/Sinity/polylogue/blob/master/docs/providers/gemini.md",
    ids="none: what was said",
    users="none",
    times="createTime of a chunk, where it has one",
    speech="text of user and model",
    silent="thoughts, the system instruction, files",
)
