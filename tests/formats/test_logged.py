"""Records in lines of structured logs and in events: the time of the line is that of a record without its own."""

from typing import Any

import pytest

from tests.formats.reading import AT, BOTH, lines, message, read_file, told

TALK = {"id": "c1", "messages": [message(role, text) for role, text in BOTH]}
ROW = {"conversation_id": "c1", "role": "user", "content": "hi"}
PINO = {"level": 30, "time": 1772442000000, "pid": 1, "hostname": "h"}
CLOUD = {"specversion": "1.0", "id": "e", "source": "/x", "type": "chat", "time": AT}

LOGS: dict[str, Any] = {
    "winston, the message": {"level": "info", "message": TALK, "timestamp": AT},
    "winston, beside it": {"level": "info", "message": "chat", "conversation": TALK, "timestamp": AT},
    "winston, meta": {"level": "info", "message": "chat", "meta": ROW, "timestamp": AT},
    "pino, a row": {**PINO, **ROW, "msg": "chat"},
    "pino, beside it": {**PINO, "conversation": TALK, "msg": "chat"},
    "pino, a chat": {**PINO, "messages": TALK["messages"], "msg": "chat"},
    "bunyan": {"name": "app", "pid": 1, "level": 30, "conversation": TALK, "msg": "", "time": AT, "v": 0},
    "structlog": {"event": "chat", **ROW, "timestamp": AT, "level": "info"},
    "zap": {"level": "info", "ts": 1772442000.0, "caller": "x", "msg": "chat", **ROW},
    "serilog": {"@t": AT, "@mt": "chat", **ROW},
    "python-json-logger": {"asctime": "2026-03-02 09:00:00,000", "levelname": "INFO", "message": "chat", **ROW},
    "loguru": {"text": "x", "record": {"extra": ROW, "time": {"repr": AT, "timestamp": 1772442000.0}}},
    "CloudEvents, a row": {**CLOUD, "data": ROW},
    "CloudEvents, a talk": {**CLOUD, "data": TALK},
}


@pytest.mark.parametrize("several", [False, True], ids=["one line", "two lines"])
@pytest.mark.parametrize("log", LOGS)
def test_a_record_in_a_log_has_the_time_of_its_line(log: str, several: bool) -> None:
    content = lines(*[LOGS[log]] * (2 if several else 1))
    records, rejects = read_file(content, "a.jsonl")
    assert {one.sent_at.strftime("%Y-%m-%dT%H:%M:%SZ")[:-2] for one in records} == {AT[:-2]} and not rejects
    assert [(one.role, one.content) for one in records][:1] == BOTH[:1]
    assert log == "pino, a chat" or {one.conversation_id for one in records} <= {"c1", "c1-2"}


def test_a_record_with_a_time_of_its_own_keeps_it() -> None:
    own = "2026-03-01T08:00:00Z"
    for log in ("winston, meta", "CloudEvents, a row"):
        key = "meta" if "meta" in LOGS[log] else "data"
        line = {**LOGS[log], key: {**ROW, "timestamp": own}}
        assert read_file(lines(line, line), "a.jsonl")[0][0].sent_at.isoformat() == "2026-03-01T08:00:00+00:00"


def test_a_time_beside_rows_that_are_no_log_is_not_taken() -> None:
    """It may be that of the export; the person names it."""
    assert told(lines(*[{**ROW, "ts": AT}] * 2), "a.jsonl") == [BOTH[:1] * 2]
    assert read_file(lines({**ROW, "ts": AT}), "a.jsonl")[0][0].sent_at.hour == 0
