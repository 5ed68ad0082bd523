"""The model of the loopback servers without the wire, for tests that count what it is asked or script what it says."""

from collections.abc import Callable

from cpa_core.llm import ModelName, Reply, Request, Usage
from tests.servers import brain


class Model:
    """A provider that remembers what it was asked and gives the usual answer, or what the test says."""

    def __init__(self, says: Callable[[Request], Reply | None] = lambda request: None) -> None:
        self.requests: list[Request] = []
        self.says = says

    def call(self, request: Request) -> Reply:
        """Its answer."""
        self.requests.append(request)
        return self.says(request) or Reply(outcome="ok", text=self.usual(request))

    @staticmethod
    def usual(request: Request) -> str:
        """What the model on loopback says."""
        return brain.answer(brain.Question(request.system, request.user, request.json_schema))

    def tasks(self) -> list[str]:
        """What it was asked, in order."""
        return [request.task for request in self.requests]


class Answering:
    """The same with about the tokens that it would take; it remembers nothing, for homes of many conversations."""

    def call(self, request: Request) -> Reply:
        """Its answer."""
        text = Model.usual(request)
        asked, said = brain.tokens(request.system + request.user), brain.tokens(text)
        return Reply(outcome="ok", text=text, usage=Usage(prompt_tokens=asked, completion_tokens=said))


def answering(model: ModelName) -> Answering:
    """The model, whatever its name."""
    return Answering()
