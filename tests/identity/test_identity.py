"""Which conversation each record is: talks are merged by the rule only, and an id stays with its talk."""

import json
import random
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpa_core.models import message_hash
from tests.support.examples import examples
from tests.support.homes import Home

pytestmark = pytest.mark.slow

DAY = date(2026, 3, 4)
BEGIN = datetime(2026, 3, 4, 9, tzinfo=UTC)
SYSTEM = {"role": "system", "content": "You are a kind therapist."}
TEXTS = [
    "Hi",
    "yes",
    "ok",
    "no",
    "I sleep badly since my cat died, and nobody asks.",
    "What would help you to sleep again?",
]
LONG = "My order from last week has still not arrived, can you look?"

few = examples(3)


@dataclass(frozen=True)
class Spoken:
    """A talk: who, when (both may be unknown), and what was said, user first."""

    user: str | None
    start: datetime | None
    said: tuple[str, ...]

    def written(self) -> dict[str, Any]:
        """As OpenAI's chats have it, with the system prompt that all share."""
        turns = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(self.said)]
        who = {"user": self.user} if self.user else {}
        return {"messages": [SYSTEM, *turns], **who, **({"timestamp": self.start.isoformat()} if self.start else {})}

    def grown(self, more: Sequence[str]) -> "Spoken":
        """The same talk, later."""
        return replace(self, said=(*self.said, *more))


SAID = st.lists(st.sampled_from(TEXTS), min_size=1, max_size=5).map(tuple)
OPENED = st.sampled_from(["Hi", "I sleep badly since my cat died, and nobody asks."]).flatmap(
    lambda first: SAID.map(lambda said: (first, *said))
)


def talks(who: bool, when: bool) -> st.SearchStrategy[list[Spoken]]:
    """Talks that often begin alike, some identical; each with a user of its own, a start of its own, or neither."""

    def placed(said: list[tuple[str, ...]]) -> list[Spoken]:
        starts = [BEGIN + timedelta(minutes=n) if when else None for n in range(len(said))]
        return [Spoken(f"u{n}" if who else None, starts[n], text) for n, text in enumerate(said)]

    return st.lists(OPENED, min_size=1, max_size=5).map(placed)


@contextmanager
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory() as folder:
        yield Home(Path(folder))


def put(one: Home, name: str, found: Sequence[Spoken]) -> None:
    one.write(f"{name}.jsonl", "\n".join(json.dumps(talk.written()) for talk in found))


def landed(one: Home) -> dict[str, list[str]]:
    """What users and assistants said by conversation, in the order in which a day is built."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in one.rows(
        "select conversation_id, content from landed_messages where superseded_at is null "
        "and role in ('user', 'assistant') order by conversation_id, sent_at, uri, ordinal"
    ):
        found[row["conversation_id"]].append(row["content"])
    return dict(found)


def messages(one: Home) -> set[tuple[str, str]]:
    """The ids that events are made of."""
    rows = one.rows("select conversation_id, message_id from landed_messages where superseded_at is null")
    return {(row["conversation_id"], row["message_id"]) for row in rows}


def said_in(found: dict[str, list[str]]) -> list[list[str]]:
    return sorted(found.values())


def truth(found: Sequence[Spoken]) -> list[list[str]]:
    return sorted(list(talk.said) for talk in found)


WHO_WHEN = st.sampled_from([(True, True), (True, False), (False, True)])


@few
@given(WHO_WHEN.flatmap(lambda known: talks(*known)), st.randoms(use_true_random=False))
def test_talks_are_told_apart_however_they_are_spread_over_files_and_in_whatever_order(
    found: list[Spoken], chance: random.Random
) -> None:
    ids = []
    for names in (["a"], ["a", "b"], ["c", "b", "a"]):
        with home() as one:
            shuffled = chance.sample(found, len(found))
            for n, name in enumerate(names):
                put(one, name, [*shuffled[n :: len(names)]] or shuffled[:1])
                if chance.random() < 0.5:
                    one.land(DAY)
            one.land(DAY)
            assert said_in(landed(one)) == truth(found)
            ids.append(messages(one))
            assert one.land(DAY).read == 0
    assert ids[0] == ids[1] == ids[2]


@few
@given(
    WHO_WHEN.flatmap(lambda known: talks(*known)),
    st.lists(SAID, min_size=5, max_size=5),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_an_export_that_grows_keeps_every_id(
    found: list[Spoken], more: list[tuple[str, ...]], beside: bool, chance: random.Random
) -> None:
    with home() as one:
        put(one, "a", found[:3])
        one.land(DAY)
        before = messages(one)
        grown = [talk.grown(text[: chance.randint(0, 2)]) for talk, text in zip(found, more, strict=False)]
        put(one, "b" if beside else "a", chance.sample(grown, len(grown)))
        assert one.land(DAY).untold == 0
        assert said_in(landed(one)) == truth(grown)
        assert before <= messages(one)
        put(one, "0", grown)  # the same once more, under a name that comes first
        assert one.land(DAY).days == ()


@few
@given(
    talks(False, False), talks(False, False), st.lists(SAID, min_size=5, max_size=5), st.randoms(use_true_random=False)
)
def test_where_neither_user_nor_start_is_known_ids_stay_and_nothing_of_one_file_is_merged(
    found: list[Spoken], others: list[Spoken], more: list[tuple[str, ...]], chance: random.Random
) -> None:
    with home() as one:
        put(one, "a", found)
        assert one.land(DAY).untold == 0
        before = landed(one)
        assert said_in(before) == truth(found)
        grown = [talk.grown(text[: chance.randint(0, 2)]) for talk, text in zip(found, more, strict=False)]
        put(one, "a", chance.sample([*others, *grown], len(grown) + len(others)))
        one.land(DAY)
        assert said_in(landed(one)) == truth([*grown, *others])
        assert before.keys() <= landed(one).keys()


@few
@given(talks(False, False), talks(False, False))
def test_what_is_counted_is_all_that_another_file_can_double(found: list[Spoken], others: list[Spoken]) -> None:
    with home() as one:
        put(one, "a", found)
        one.land(DAY)
        first = landed(one)
        put(one, "b", [*found, *others])
        told = one.land(DAY)
        assert len(landed(one)) <= len(first) + len(others) + told.untold
        assert all(landed(one)[key][: len(said)] == said for key, said in first.items())


def test_of_one_file_nothing_is_merged_and_identical_talks_are_the_first_the_second_and_the_third(
    tmp_path: Path,
) -> None:
    one = Home(tmp_path)
    same = Spoken("u", BEGIN, ("Hi", "Hello"))
    put(one, "a", [same, same, same.grown(("Bye",))])
    one.land()
    before = messages(one)
    assert said_in(landed(one)) == [["Hi", "Hello"], ["Hi", "Hello"], ["Hi", "Hello", "Bye"]]
    put(one, "b", [same.grown(("Bye",)), same, same])
    assert one.land().days == () and messages(one) == before


def test_a_short_opening_of_nobody_known_is_no_reason_to_merge_and_is_counted(tmp_path: Path) -> None:
    one = Home(tmp_path)
    put(one, "a", [Spoken(None, None, ("Hi", "Hello")), Spoken(None, None, (LONG, "I can.", "Please do."))])
    one.land(DAY)
    put(
        one,
        "b",
        [Spoken(None, None, ("Hi", "Hello", "Bye")), Spoken(None, None, (LONG, "I can.", "Please do.", "Done"))],
    )
    told = one.land(DAY)
    assert told.untold == 1 and any("cannot be told apart" in warning for warning in told.warnings)
    assert said_in(landed(one)) == sorted(
        [["Hi", "Hello"], ["Hi", "Hello", "Bye"], [LONG, "I can.", "Please do.", "Done"]]
    )


def test_another_day_that_is_named_is_another_talk(tmp_path: Path) -> None:
    one = Home(tmp_path)
    for name, day in (("a", DAY), ("b", DAY + timedelta(days=1))):
        put(one, name, [Spoken("u", None, (LONG, "I can.", "Please do."))])
        one.land(day)
    assert len(landed(one)) == 2


def test_the_one_of_several_that_a_record_continues_is_the_longest_else_it_is_a_new_one(tmp_path: Path) -> None:
    one = Home(tmp_path)
    put(one, "a", [Spoken("u", None, ("Hi", "Hello")), Spoken("u", None, ("Hi", "Hello", "yes"))])
    one.land(DAY)
    put(one, "b", [Spoken("u", None, ("Hi", "Hello", "yes", "ok"))])
    assert one.land(DAY).untold == 0
    assert said_in(landed(one)) == [["Hi", "Hello"], ["Hi", "Hello", "yes", "ok"]]
    put(one, "c", [Spoken("u", None, ("Hi",))])
    assert one.land(DAY).untold == 1  # the beginning of both, and of neither more than of the other


def test_a_removed_and_a_replaced_file_are_remembered(tmp_path: Path) -> None:
    one = Home(tmp_path)
    talk = Spoken("u", BEGIN, (LONG, "I can."))
    put(one, "a", [talk])
    one.land()
    before = messages(one)
    put(one, "a", [Spoken("v", BEGIN, ("Hi",))])
    one.land()
    put(one, "b", [talk.grown(("Thanks",))])
    one.land()
    assert before <= messages(one)


def test_a_talk_whose_times_come_later_keeps_the_ids_of_its_messages(tmp_path: Path) -> None:
    """By the day at first, then by its start: in the same file, and in another one."""
    for n, name in enumerate("ab"):
        one = Home(tmp_path / str(n))
        talk = Spoken("u", None, (LONG, "I can.", "Please do.", "I did."))
        put(one, "a", [talk])
        one.land(DAY)
        before = spoken(one)
        put(one, name, [replace(talk.grown(("Thanks",)), start=BEGIN)])
        assert one.land(DAY).lost == 0
        assert said_in(landed(one)) == [[*talk.said, "Thanks"]]
        assert before <= spoken(one)


def spoken(one: Home) -> set[tuple[str, str]]:
    """The ids that events are made of, without those of system prompts, of which none is made."""
    rows = one.rows(
        "select conversation_id, message_id from landed_messages where superseded_at is null and role <> 'system'"
    )
    return {(row["conversation_id"], row["message_id"]) for row in rows}


OLD = "c-0123456789abcdef0123"


def test_a_home_of_an_earlier_version_keeps_the_ids_of_the_conversations_that_grow(tmp_path: Path) -> None:
    one = Home(tmp_path)
    found = [
        Spoken("a", BEGIN, ("Hi", "Hello")),
        Spoken(None, BEGIN + timedelta(hours=1), ("Hi", "Hello")),
        Spoken("c", None, (LONG, "I can.")),
    ]
    put(one, "a", found)
    one.land(DAY)
    named_as_before(one)
    before = messages(one)
    put(one, "b", [Spoken("z", BEGIN, ("Hi", "Hello")), *(talk.grown(("Thanks", "Bye")) for talk in found)])
    one.land(DAY)
    assert {key for key, _ in before} == {f"{OLD}-{n}" for n in range(3)}
    assert before <= messages(one)
    assert len(landed(one)) == 4


def named_as_before(one: Home) -> None:
    """What an earlier version had: ids of the first message and a number, and nothing that identity remembers."""
    with one.assistant().store.writing() as transaction:
        rows = transaction.rows("select distinct conversation_id from landed_messages order by conversation_id")
        for n, row in enumerate(rows):
            for of_one in transaction.rows(
                "select ordinal, role, content, sent_at from landed_messages where conversation_id = $id",
                id=row["conversation_id"],
            ):
                said = (of_one["role"], of_one["content"], of_one["sent_at"])
                transaction.execute(
                    "update landed_messages set conversation_id = $new, message_id = $message "
                    "where conversation_id = $id and ordinal = $ordinal",
                    new=f"{OLD}-{n}",
                    message=message_hash(f"{OLD}-{n}", *said, 0),
                    id=row["conversation_id"],
                    ordinal=of_one["ordinal"],
                )
        transaction.execute("delete from known_conversations")
        transaction.execute("delete from settings_fixed where name = 'identity'")
