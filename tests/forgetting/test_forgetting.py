"""After `cpa forget`, no byte of the home holds what was forgotten, others are as they were, and nothing comes back."""

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cpa_core.gold.drawing import Draw, DrawnItem
from cpa_core.gold.reviews import Review
from cpa_core.pipeline import Assistant
from cpa_core.pipeline.forgetting import forget as steps
from cpa_core.pipeline.forgetting.forget import forget, forgetting, resume_forgetting
from cpa_core.pipeline.gold.ledger import append_draw, append_reviews, merge_gold
from cpa_core.schema import dump
from cpa_core.store.database import Row
from tests.servers.chat_completions import ChatServer
from tests.support.commands import ONE_EACH, cpa
from tests.support.homes import NOW, Home, turn

USER = "maja-person-7"
THEIRS, MADE_UP, OTHERS = "conv-of-maja", "Ich heisse Maja Lindqvist und wohne hier.", "conv-of-otto"
SAID = ["My name is Maja Lindqvist of Gothenburg?", "Noted, Maja Lindqvist of Gothenburg."]
BROKEN = {"bad": {"user_id": USER, "messages": [{"role": "user", "content": {"no": SAID[0]}}]}}
BOTH_SAY = "Where do I find the form for this?"


def talk(user: str, first: str, second: str) -> dict[str, Any]:
    return {
        "user_id": user,
        "messages": [
            turn(first, message_id="1"),
            turn(second, "2026-03-04T09:00:05Z", "assistant", message_id="2"),
            turn(BOTH_SAY, "2026-03-04T09:00:09Z", message_id="3"),
        ],
    }


def chats() -> dict[str, Any]:
    return {THEIRS: talk(USER, *SAID), OTHERS: talk("otto", "Otto asks for a form, please?", "Here it is, Otto.")}


def written(home: Home, name: str, body: Any) -> None:
    home.write(name, json.dumps(body))


def draw_of(*names: str) -> Draw:
    items = tuple(DrawnItem(conversation_id=name, chance=0.5) for name in names)
    day = date(2026, 3, 4)
    return Draw(
        way="random",
        queue="random",
        first=day,
        last=day,
        frame=2,
        seed=1,
        drawn_at=NOW,
        schema_version="s",
        items=items,
    )


def review_of(name: str, draw: Draw, note: str) -> Review:
    about = {"message_id": "1", "role": "user", "schema_version": "s", "reviewer": "eva", "reviewed_at": NOW}
    answer = {"kind": "event", "key": "Question|user", "name": "Question", "definition": "d", "present": True}
    return Review.model_validate(
        about | {"conversation_id": name, "queue": "random", "draw_id": draw.draw_id, "note": note, "answers": [answer]}
    )


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home with labels, outboxes, reviews, a report and rejects, of two people."""
    made = Home(tmp_path_factory.mktemp("forgetting"))
    with ChatServer() as server:
        made.environ |= environ_of(made.folder, server)
        written(made, "chats.json", chats())
        written(made, "broken.json", BROKEN)
        written(made, f"{THEIRS}.json", {THEIRS: {"user_id": USER, "messages": [turn("Another file says Maja.")]}})
        cpa(made, "run")
        assistant = made.assistant()
        draw = draw_of(THEIRS, OTHERS)
        append_draw(assistant, draw)
        append_reviews(assistant, [review_of(THEIRS, draw, f"says {SAID[0]}"), review_of(OTHERS, draw, "fine")])
        merge_gold(assistant)
        assert cpa(made, "report") == 0
        yield made


def environ_of(folder: Path, server: ChatServer) -> dict[str, str]:
    (folder / "schema.yml").write_text(dump(ONE_EACH), "utf-8")
    return {
        "CPA_SCHEMA": str(folder / "schema.yml"),
        "CPA_MODEL": "compatible:test-model",
        "CPA_COMPATIBLE_URL": f"{server.origin}/v1",
        "CPA_COMPATIBLE_STRUCTURED": "strict",
        "CPA_PRIVACY": "full",
        "CPA_DESTINATIONS": "outbox,parquet",
    }


@pytest.fixture
def home(tmp_path: Path, template: Home, chat_server: ChatServer) -> Home:
    """A copy of it, whose source stands elsewhere."""
    shutil.copytree(template.folder, tmp_path, dirs_exist_ok=True)
    return Home(tmp_path, environ_of(tmp_path, chat_server))


def needles(home: Home) -> set[bytes]:
    """Every text, id and quote of the person, as a search would look for it."""
    events = home.rows(f"select event_id from tagged_events where conversation_id = '{THEIRS}'")
    assert events, "the person has events"
    return {text.encode() for text in (USER, THEIRS, "Maja", *(row["event_id"] for row in events))}


def holding(home: Home, wanted: set[bytes]) -> set[tuple[str, bytes]]:
    """Which files of the home hold which of these, Parquet also as its columns say it."""
    found = set()
    for path in (home.folder / "home").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".parquet":
                content += str(pq.read_table(path).to_pylist()).encode()
            found |= {(path.name, one) for one in wanted if one in content or one in path.name.encode()}
    return found


def of_others(assistant: Assistant) -> dict[str, list[Row]]:
    """Every row of every table that names somebody else's conversation."""
    with assistant.store.reading() as view:
        names = {row["name"] for row in view.answer("forgetting/columns_with_ids") if row["place"] == "conversation_id"}
        sql = "select * from {} where conversation_id = $other order by all"
        rows = {name: view.rows(sql.format(name), other=OTHERS) for name in sorted(names)}
    assert {"messages", "tagged_events", "answers", "gold_labels", "upload_receipts"} <= {n for n in rows if rows[n]}
    return rows


def files_of_others(home: Home) -> dict[str, list[Any]]:
    """The lines and rows of files that are about somebody else alone."""
    found: dict[str, list[Any]] = {}
    for path in sorted((home.folder / "home").rglob("*")):
        name = str(path.relative_to(home.folder))
        if path.suffix == ".jsonl" and path.parent.name != "forgotten":
            lines = path.read_text("utf-8").splitlines()
            found[name] = [line for line in lines if OTHERS in line and THEIRS not in line and "items" not in line]
        elif path.suffix == ".parquet":
            rows = pq.read_table(path).to_pylist()
            found[name] = [row for row in rows if row["conversation_id"] == OTHERS]
    return found


def test_no_byte_is_left_of_the_person_and_others_are_as_they_were(home: Home) -> None:
    wanted, before, files = needles(home), of_others(home.assistant()), files_of_others(home)
    assert {name for name, _ in holding(home, wanted)} >= {
        *("cpa.duckdb", "2026-03-04.jsonl", "2026-03-04.parquet", "reviews.jsonl", "draws.jsonl", "report.html")
    }
    left = home.folder / "home" / "upgrade"
    left.mkdir()
    shutil.copy(home.folder / "home" / "cpa.duckdb", left)
    assert cpa(home, f"forget --user {USER} --yes") == 0
    assert holding(home, wanted) == set()
    assert of_others(home.assistant()) == before and files_of_others(home) == files


def test_nothing_goes_without_yes(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    before = holding(home, needles(home))
    assert cpa(home, f"forget --user {USER}") == 0
    out = capsys.readouterr().out
    assert "1 conversations on 1 days" in out and "table messages: 4 rows" in out and "--yes removes it" in out
    assert holding(home, needles(home)) == before and not (home.folder / "home" / "forgotten").exists()


@pytest.mark.parametrize("way", [f"--user {USER}", f"--conversation {THEIRS}"])
def test_landing_brings_nothing_back_also_where_the_talk_grew_or_stands_elsewhere(
    home: Home, way: str, chat_server: ChatServer
) -> None:
    wanted = needles(home)
    assert cpa(home, f"forget {way} --yes") == 0
    asked = len(chat_server.calls)
    grown = chats()
    grown[THEIRS]["messages"].append(turn("And Maja adds another thing?", "2026-03-04T10:00:00Z", message_id="4"))
    written(home, "chats.json", grown)
    written(home, "again/other.json", {THEIRS: talk(USER, *SAID)})
    written(home, "broken.json", BROKEN)
    cpa(home, "run")
    if "--user" in way:
        assert holding(home, wanted) == set()
    assert home.rows(f"select 1 from landed_messages where conversation_id = '{THEIRS}'") == []
    assert home.rows(f"select 1 from messages where conversation_id = '{OTHERS}'") != []
    assert len(chat_server.calls) == asked, "others' answers are there still"


@pytest.mark.parametrize("step", ["bury", "clean_files", "_delete", "sum_day", "compact_database"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_step_and_run_again_it_ends_the_same(
    home: Home, step: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, before = needles(home), of_others(home.assistant())
    real: Callable[..., Any] = getattr(steps, step)

    def killed(*given: Any, **named: Any) -> Any:
        if step == "clean_files" and not named["write"]:
            return real(*given, **named)
        if when == "after":
            real(*given, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(steps, step, killed)
        with pytest.raises(KeyboardInterrupt):
            forget(home.assistant(), users=[USER])
    assert resume_forgetting(home.assistant())
    assert holding(home, wanted) == set() and of_others(home.assistant()) == before
    assert home.rows("select conversations, users from insight_days") == [{"conversations": 1, "users": 1}]
    assert not resume_forgetting(home.assistant())


def test_a_conversation_whose_id_was_made_stays_away_when_it_grew(tmp_path: Path) -> None:
    home = Home(tmp_path)
    body = {"messages": [turn(MADE_UP), turn("Das ist notiert.", "2026-03-04T09:00:05Z", "assistant")]}
    home.write("a.jsonl", json.dumps(body) + "\n")
    home.land()
    (name,) = {row["conversation_id"] for row in home.rows("select conversation_id from landed_messages")}
    forget(home.assistant(), conversations=[name])
    body["messages"].append(turn("Und noch etwas dazu?", "2026-03-04T09:01:00Z"))
    home.write("b.jsonl", json.dumps(body) + "\n")
    home.land()
    assert home.rows("select 1 from landed_messages") == []


def test_a_talk_that_is_known_by_its_user_alone_stays_away(tmp_path: Path) -> None:
    home = Home(tmp_path, {"CPA_SESSION_GAP": "30", "CPA_MAP": "role=who"})
    rows = [("09:00", "Maja in the morning?"), ("15:00", "Maja in the afternoon?")]
    lines = [
        {"user_id": USER, "who": "user", "content": said, "timestamp": f"2026-03-04T{at}:00Z"} for at, said in rows
    ]
    home.write("a.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    home.land()
    names = sorted(row["conversation_id"] for row in home.rows("select distinct conversation_id from landed_messages"))
    assert len(names) == 2 and all(name.startswith(f"{USER}@") for name in names)
    forget(home.assistant(), conversations=names[:1])
    home.write("b.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    home.land()
    assert {row["content"] for row in home.rows("select content from landed_messages")} == {rows[1][1]}


def test_short_ids_take_nothing_of_others(tmp_path: Path) -> None:
    """A user and another user's conversation of one name, and numbers in the records of others."""
    home = Home(tmp_path)
    written(home, "a.json", {"1": talk("2", "The first asks this?", "Yes, of course."), "2": talk("3", *SAID)})
    home.land()
    outbox = tmp_path / "home" / "outbox" / "2026-03-04.jsonl"
    outbox.parent.mkdir()
    of = {"e1": ("2", "1"), "e2": ("3", "2")}
    events = [
        {"event_id": name, "distinct_id": user, "properties": {"conversation_id": own, "n": 2}}
        for name, (user, own) in of.items()
    ]
    outbox.write_text("".join(json.dumps(event) + "\n" for event in events), "utf-8")
    forget(home.assistant(), users=["2"])
    assert [json.loads(line)["event_id"] for line in outbox.read_text("utf-8").splitlines()] == ["e2"]
    written(home, "b.json", {"2": talk("3", *SAID)})
    home.land()
    kept = home.rows("select distinct conversation_id from landed_messages where superseded_at is null")
    assert [row["conversation_id"] for row in kept] == ["2"]


def test_files_that_the_tool_did_not_write_stay(home: Home) -> None:
    folder = home.folder / "home"
    mine = {"index.html": "<p>mine</p>", "site/page.html": f"<p>{USER}</p>", "data/chats.jsonl": f'"{USER}"\n'}
    for name, content in mine.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content, "utf-8")
    (folder / "march.html").write_text(f"<p>{SAID[0]}</p>", "utf-8")
    forget(home.assistant(), users=[USER])
    assert {name: (folder / name).read_text("utf-8") for name in mine} == mine
    assert not (folder / "march.html").exists() and not (folder / "report.html").exists()


def test_what_was_spent_stays_and_an_unknown_user_is_nobody(home: Home) -> None:
    spent = "select sum(completion_tokens) as tokens, count(*) as answers from answers"
    before = home.rows(spent)
    forget(home.assistant(), users=[USER])
    assert home.rows(spent) == before
    assert forgetting(home.assistant(), users=["nobody-here"]).is_empty
