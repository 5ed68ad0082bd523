"""The vendors' documented limits of a JSON schema, which their servers enforce with status 400.

OpenAI: developers.openai.com, structured outputs (5,000 properties, 10 levels, 1,000 enum values, 120,000 characters of
names and values, 15,000 of them in an enum of more than 250). Anthropic: platform.claude.com, structured outputs (24
optional and 16 union parameters, no recursion).
"""

from collections.abc import Iterator
from typing import Any

from tests.servers.scripted import Fault


def nodes(schema: Any, level: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every schema within a schema, with how many objects and arrays it is in."""
    yield level, schema
    for inner in (schema.get("properties") or {}).values():
        yield from nodes(inner, level + 1)
    if isinstance(schema.get("items"), dict):
        yield from nodes(schema["items"], level + 1)


def openai(schema: dict[str, Any]) -> None:
    """Raises Fault for what OpenAI's strict mode refuses."""
    found = list(nodes(schema))
    enums = [[str(value) for value in node["enum"]] for _, node in found if "enum" in node]
    names = [name for _, node in found for name in node.get("properties") or {}]
    texts = [*names, *(value for enum in enums for value in enum)]
    for amount, most, what in (
        (len(names), 5_000, "properties"),
        (max(level for level, _ in found), 10, "levels"),
        (sum(map(len, enums)), 1_000, "enum values"),
        (sum(map(len, texts)), 120_000, "characters"),
        (max((sum(map(len, enum)) for enum in enums if len(enum) > 250), default=0), 15_000, "characters in an enum"),
    ):
        if amount > most:
            raise Fault(f"Invalid schema: {amount} {what}, at most {most}")


def anthropic(schema: dict[str, Any]) -> None:
    """Raises Fault for what Anthropic's structured outputs refuse."""
    found = [node for _, node in nodes(schema)]
    optional = sum(len(set(node.get("properties") or {}) - set(node.get("required") or [])) for node in found)
    unions = sum("anyOf" in node or isinstance(node.get("type"), list) for node in found)
    if optional > 24 or unions > 16 or any("$ref" in node for node in found):
        raise Fault("Schema is too complex for compilation.")
