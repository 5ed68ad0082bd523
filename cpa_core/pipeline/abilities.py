"""The store's record of the abilities of servers of chat completions, so that they are discovered once.

An endpoint is stored and shown without user, password and parameters.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from cpa_core.llm import ModelName, Provider
from cpa_core.llm.abilities import Abilities, Discovery
from cpa_core.settings.addresses import without_login
from cpa_core.store import Store
from cpa_core.store.database import Row


def remembering(store: Store, now: Callable[[], datetime], model: ModelName, made: Provider) -> Provider:
    """Return the provider, which reads its server's abilities from the store and records what it discovers."""
    discovery = getattr(made, "discovery", None)
    if isinstance(discovery, Discovery):
        endpoint = str(getattr(made, "url", ""))
        discovery.recall = partial(recalled, store, endpoint, model.model)
        discovery.found = partial(remember, store, now, endpoint, model.model)
    return made


def recalled(store: Store, endpoint: str, model: str) -> Abilities | None:
    """Return the stored abilities of an endpoint and model; null if there are none."""
    rows = known_servers(store, without_login(endpoint), model)
    return Abilities(structured=rows[0]["structured"], reasons=rows[0]["reasons"]) if rows else None


def known_servers(store: Store, endpoint: str | None = None, model: str | None = None) -> list[Row]:
    """Endpoints and models with their abilities and when they were found out."""
    with store.reading() as view:
        return view.answer("status/server_abilities", endpoint=endpoint, model=model)


def remember(store: Store, now: Callable[[], datetime], endpoint: str, model: str, found: Abilities) -> None:
    """Store discovered abilities in place of the earlier ones."""
    row = {"endpoint": without_login(endpoint), "model": model, **found.model_dump(), "found_at": now()}
    with store.writing() as transaction:
        transaction.answer("label/forget_server", endpoint=without_login(endpoint), model=model)
        transaction.insert("server_abilities", [row])


def forget(store: Store, endpoint: str, model: str) -> None:
    """Know nothing of an endpoint and model, so that it is found out again."""
    with store.writing() as transaction:
        transaction.answer("label/forget_server", endpoint=without_login(endpoint), model=model)
