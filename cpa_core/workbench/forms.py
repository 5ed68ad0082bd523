"""Forms that a browser sent, as bounded and checked values."""

from collections.abc import Sequence
from datetime import date
from urllib.parse import parse_qsl

from starlette.requests import Request

from cpa_core.errors import InputError

MOST_BYTES, MOST_FIELDS = 2_000_000, 2_000


class SentForm:
    """The fields of a form."""

    def __init__(self, fields: Sequence[tuple[str, str]]) -> None:
        self._fields = fields

    def get(self, name: str) -> str:
        """The last value of a field without space around it; empty where there is none."""
        return next((value for key, value in reversed(self._fields) if key == name), "").strip()

    def raw(self, name: str) -> str:
        """Return the last value of a field unstripped, with line ends normalised."""
        found = next((value for key, value in reversed(self._fields) if key == name), "")
        return found.replace("\r\n", "\n").replace("\r", "\n")

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value for key, value in self._fields if key == name]

    def as_mapping(self) -> dict[str, str]:
        """The last value of each field."""
        return {key: value.strip() for key, value in self._fields}

    def number(self, name: str, least: float, most: float) -> float | None:
        """A number within bounds; null for an empty field. Raises InputError."""
        text = self.get(name)
        if not text:
            return None
        try:
            found = float(text)
        except ValueError:
            raise InputError(f"{name}: this is no number") from None
        if not least <= found <= most:
            raise InputError(f"{name}: from {least:g} to {most:g}")
        return found

    def day(self, name: str) -> date | None:
        """A day; null for an empty field. Raises InputError."""
        text = self.get(name)
        try:
            return date.fromisoformat(text) if text else None
        except ValueError:
            raise InputError(f"{name}: a day is written 2026-03-04") from None


async def form_of(request: Request) -> SentForm:
    """The form of a request. Raises InputError where it is too large or not text."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise InputError("the form is too large")
    try:
        return SentForm(
            parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
        )
    except ValueError:
        raise InputError("the form cannot be read") from None
