"""What `make test-fast` leaves out."""

import pytest

from tests.servers.chat_completions import ChatServer


def test_a_module_that_knows_a_server_is_slow(request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker("slow")


def test_a_test_that_is_given_a_server_is_slow(request: pytest.FixtureRequest, chat_server: ChatServer) -> None:
    assert request.node.get_closest_marker("slow") and chat_server.url
