"""Asking language models: one request value, a closed set of outcomes, every answer stored before its slot is free."""

from cpa_core.errors import Limits
from cpa_core.llm.batches import BatchForm, BatchLine, BatchLook, BatchVendor, Found, Lost
from cpa_core.llm.brake import Brake
from cpa_core.llm.budget import Allowance, Allowed, Bill, Budget, Reserve, no_budget
from cpa_core.llm.engine import (
    BYTES_PER_TOKEN,
    FIRST_SILENCE,
    HUNG_TRIES,
    MAX_BUSY,
    MAX_FAILURES,
    MAX_WAIT,
    MIN_SILENCE,
    Engine,
)
from cpa_core.llm.limiter import Limiter, Shared, Timer, Turns
from cpa_core.llm.values import NOT_BILLED, About, Answer, Answers, Ask, ModelName, Provider, Reply, Request, Usage
from cpa_core.llm.watch import ANOTHER_API, FIRST_ANSWERS, VALUES, Watch

__all__ = [
    "ANOTHER_API",
    "BYTES_PER_TOKEN",
    "FIRST_ANSWERS",
    "FIRST_SILENCE",
    "HUNG_TRIES",
    "MAX_BUSY",
    "MAX_FAILURES",
    "MAX_WAIT",
    "MIN_SILENCE",
    "NOT_BILLED",
    "VALUES",
    "About",
    "Allowance",
    "Allowed",
    "Answer",
    "Answers",
    "Ask",
    "BatchForm",
    "BatchLine",
    "BatchLook",
    "BatchVendor",
    "Bill",
    "Brake",
    "Budget",
    "Engine",
    "Found",
    "Limiter",
    "Limits",
    "Lost",
    "ModelName",
    "Provider",
    "Reply",
    "Request",
    "Reserve",
    "Shared",
    "Timer",
    "Turns",
    "Usage",
    "Watch",
    "no_budget",
]
