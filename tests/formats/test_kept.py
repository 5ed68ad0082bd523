"""Records that are gone through twice: those of a small file are parsed once, and read as those of a large one are."""

import gzip
import json
import random

import pytest

from cpa_core.sources import File
from cpa_core.sources.samples import Layout
from cpa_core.sources.trees import MOST_KEPT, Records, kept
from tests.formats.generated import WRITERS, talks_of
from tests.formats.reading import read_file

LARGE = b" " * MOST_KEPT + b"\n"
"""A blank line that makes a file a large one."""


@pytest.mark.parametrize("writer", ["otel structured", "otel events", "langfuse observations", "langsmith", "opik"])
def test_a_large_file_is_read_as_a_small_one(writer: str) -> None:
    trees = [tree for one in talks_of(writer, random.Random(5)) for tree in WRITERS[writer][1](one)]
    content = "".join(json.dumps(tree) + "\n" for tree in trees).encode()
    damaged = content + b'{"traceId": 1, \n'
    records, rejects = read_file(damaged, "a.jsonl")
    assert records and [one for one in rejects if one.loss]
    assert read_file(damaged + LARGE, "a.jsonl") == (records, rejects)


def test_what_is_small_is_parsed_once_and_what_is_large_or_packed_each_time() -> None:
    layout: Layout = "lines"
    for content, once in ((b'{"a": 1}\n', True), (b'{"a": 1}\n' + LARGE, False), (gzip.compress(b'{"a": 1}\n'), False)):
        file = File("a.jsonl", content)
        records = kept(file, Records(file, "json", layout, ()))
        assert isinstance(records, list) == once
        assert list(records) == list(records) == [("line 1", {"a": 1})]
