"""A loopback server of OpenAI's embeddings: `vectors` makes a row for each text, and the server checks the request.

`with EmbeddingServer(vectors) as server: ... server.base ... server.texts`. `cpa_core/providers/embeddings.py` names
the sources.
"""

import base64
import struct
from collections.abc import Callable, Sequence

from tests.servers.loopback import Asked, Body, Fault, Loopback, Says

MOST_TEXTS = 2048


def refusal(message: str, status: int = 400) -> Says:
    """OpenAI's form of an error."""
    return Says(status, {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}})


class EmbeddingServer(Loopback):
    """It counts the tokens of a text as its words. `texts` are those that it made vectors of, in order."""

    def __init__(
        self,
        vectors: Callable[[Sequence[str]], Sequence[Sequence[float]]],
        script: Callable[[Asked], Fault | None] = lambda asked: None,
    ) -> None:
        super().__init__(script)
        self.vectors = vectors
        self.texts: list[str] = []
        self.tokens = 0

    @property
    def base(self) -> str:
        """The value of CPA_COMPATIBLE_URL or OPENAI_BASE_URL."""
        return f"{self.url}/v1"

    def answer(self, asked: Asked) -> Says:
        """A vector for each text, in the reverse order, which `index` undoes."""
        body = asked.body
        if asked.path != "/v1/embeddings":
            return refusal(f"Unknown request URL: POST {asked.path}", 404)
        texts = body.get("input")
        if not isinstance(texts, list) or not 0 < len(texts) <= MOST_TEXTS or not all(texts):
            return refusal("'input': 1 to 2048 texts that are not empty")
        with self.guard:
            self.texts += texts
            tokens = sum(len(text.split()) for text in texts)
            self.tokens += tokens
            rows = self.vectors(texts)
        data = [self._row(body, nth, row) for nth, row in enumerate(rows)]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return Says(200, {"object": "list", "data": data[::-1], "model": body["model"], "usage": usage})

    def _row(self, body: Body, nth: int, row: Sequence[float]) -> Body:
        numbers = [float(one) for one in row][: body.get("dimensions")]
        packed = base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
        is_packed = body.get("encoding_format") == "base64"
        return {"object": "embedding", "index": nth, "embedding": packed if is_packed else numbers}
