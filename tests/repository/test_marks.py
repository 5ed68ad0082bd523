"""What `make test-fast` leaves out, and where the folders of tests stand."""

import os
from pathlib import Path

import pytest

from tests.servers.chat_completions import ChatServer


def test_a_module_that_knows_a_server_is_slow(request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker("slow")


def test_a_test_that_is_given_a_server_is_slow(request: pytest.FixtureRequest, chat_server: ChatServer) -> None:
    assert request.node.get_closest_marker("slow") and chat_server.url


def test_a_tests_folder_stands_where_the_tests_are_told_to_keep_them(tmp_path: Path) -> None:
    root = os.environ.get("PYTEST_DEBUG_TEMPROOT")
    assert root is None or tmp_path.is_relative_to(Path(root).resolve())


def test_the_folder_of_a_test_that_passed_is_gone(request: pytest.FixtureRequest) -> None:
    assert request.config.getini("tmp_path_retention_policy") == "failed", "homes in memory would fill it"
