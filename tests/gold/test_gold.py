"""Labels by people: kept at once, merged once, valid as long as a type means the same; what teaches never measures."""

import json
import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpa_core.cli import main
from cpa_core.cli.gold import labels_lines, next_labels, plan_lines, with_those_that_teach
from cpa_core.cli.gold_facts import DrawRead
from cpa_core.errors import InputError
from cpa_core.gold.agreement import agreement, people_agreement
from cpa_core.gold.drawing import at_random, by_doubt, chance_in
from cpa_core.gold.planning import in_words
from cpa_core.gold.reviews import Labelled, answers_on_message, definition_of, part_of, said_hash
from cpa_core.gold.trust import Trust, TrustedRate
from cpa_core.insights import UNKNOWN, Rate
from cpa_core.models import EventSchema
from cpa_core.pipeline.gold.draws import WantedDraw, draw_gold, gold_queue
from cpa_core.pipeline.gold.exchange import GoldForm, export_gold, import_gold
from cpa_core.pipeline.gold.ledger import append_reviews, gold_folder, merge_gold
from cpa_core.pipeline.gold.planning import Planned, PlannedWay
from cpa_core.pipeline.gold.quality import same_meaning, trust_of
from cpa_core.pipeline.gold.teaching import gold_errors
from cpa_core.schema import dump
from tests.support.homes import NOW
from tests.support.labelled import ANSWER, ASKING, SCHEMA, THANKS, LabelledHome, labelled_home, talks

pytestmark = pytest.mark.slow


def trusted(home: LabelledHome, name: str = ASKING) -> Trust:
    """What is known of one label."""
    return next(one for one in trust_of(home.assistant) if one.name == name)


def numbers(home: LabelledHome, part: str = "measure") -> list[int]:
    """The talks that measure, or teach."""
    return [n for n in range(len(home.talks)) if part_of(f"c{n:04}") == part]


def changed(definition: str) -> EventSchema:
    """The schema with another definition of its first type."""
    first, *others = SCHEMA.event_types
    return SCHEMA.model_copy(update={"event_types": (first.model_copy(update={"definition": definition}), *others)})


def test_what_a_reviewer_does_not_name_is_an_explicit_no() -> None:
    answers = answers_on_message(SCHEMA, "user", [Labelled(event_type=THANKS)])
    assert {one.name: one.present for one in answers} == {ASKING: False, THANKS: True}
    assert [one.present for one in answers_on_message(SCHEMA, "assistant", [])] == [False]


@pytest.mark.parametrize(
    ("labelled", "reason"),
    [
        (Labelled(event_type=ANSWER), "no event type of role user"),
        (Labelled(event_type=ASKING, properties={"Topic": "cats"}), "none of its choices"),
        (Labelled(event_type=ASKING, properties={"Colour": "red"}), "no property"),
    ],
)
def test_a_review_against_the_schema_is_an_error(labelled: Labelled, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        answers_on_message(SCHEMA, "user", [labelled])


def test_a_fifth_of_the_conversations_teaches_and_an_id_never_changes_its_part() -> None:
    parts = [part_of(f"conversation {n}") for n in range(2000)]
    assert 0.17 < parts.count("teach") / len(parts) < 0.23
    assert parts == [part_of(f"conversation {n}") for n in range(2000)]


def test_no_review_waits_for_the_database(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(3))
    with home.assistant.store.writing():  # somebody holds the database
        home.read([0, 1])
    merge_gold(home.assistant)
    assert len(home.home.rows("select distinct review_id from gold_labels")) == 22


def test_gold_is_merged_once_and_outlives_the_database_and_a_torn_line(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(3))
    home.read([0])
    merge_gold(home.assistant)
    merge_gold(home.assistant)
    count = "select count(*) as n from gold_labels"
    before = home.home.rows(count)
    path = gold_folder(home.assistant.settings) / "reviews.jsonl"
    with path.open("a") as file:
        file.write('{"conversation_id": "torn')
    append_reviews(home.assistant, home.reviews(0)[:1])  # the same review again, after the torn line
    home.assistant.store.path.unlink()
    home.store()
    assert merge_gold(home.assistant) == 0
    assert home.home.rows(count) == before


def test_a_line_that_cannot_be_read_is_counted_and_stops_nothing(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(2))
    folder = gold_folder(home.assistant.settings)
    folder.mkdir()
    (folder / "reviews.jsonl").write_text('{"not": "a review"}\n')
    home.read([0])
    assert merge_gold(home.assistant) == 1
    assert len(home.home.rows("select distinct review_id from gold_labels")) == 11


@pytest.mark.parametrize("form", ["csv", "jsonl", "label-studio", "argilla"])
def test_gold_goes_out_and_comes_in_again_as_it_was(tmp_path: Path, form: GoldForm) -> None:
    home = labelled_home(tmp_path / "a", talks(6))
    given = home.read([0, 1, 2]) + home.read([1], reviewer="bea")
    merge_gold(home.assistant)
    path = tmp_path / f"gold.{form}"
    assert export_gold(home.assistant, path, form).reviews == len(given)
    other = labelled_home(tmp_path / "b", home.talks)
    done = import_gold(other.assistant, path, form)
    assert (done.reviews, done.left_out) == (len(given), 0)
    columns = "conversation_id, message_id, reviewer, key, present, verdict, quote, properties::varchar as properties"
    said = f"select {columns} from gold_labels order by all"
    assert other.home.rows(said) == home.home.rows(said)
    for assistant in (home.assistant, other.assistant):
        again = import_gold(assistant, path, form)
        assert (again.reviews, again.known) == (0, len(given))


@pytest.mark.parametrize("form", ["csv", "jsonl", "label-studio", "argilla"])
def test_no_form_says_no_of_a_message_that_nobody_read(tmp_path: Path, form: GoldForm) -> None:
    home = labelled_home(tmp_path, talks(3))
    append_reviews(home.assistant, home.reviews(0)[:2])
    merge_gold(home.assistant)
    export_gold(home.assistant, tmp_path / "gold", form)
    other = labelled_home(tmp_path / "b", home.talks)
    assert import_gold(other.assistant, tmp_path / "gold", form).reviews == 2


def test_a_quote_may_hold_any_character_in_every_form(tmp_path: Path) -> None:
    said = 'one\u2028two\u0085three\r\nfour "five", six'
    rows = talks(1)
    rows[0].messages = [("user", {ASKING}, {ASKING})]
    home = labelled_home(tmp_path, rows)
    with home.assistant.store.writing() as transaction:
        transaction.execute("update messages set content = $said", said=f"So: {said}!")
    (first,) = [one for one in home.reviews(0) if one.message_id is not None]
    answers = [one.model_copy(update={"quote": said}) if one.present else one for one in first.answers]
    append_reviews(
        home.assistant, [first.model_copy(update={"answers": tuple(answers), "said": said_hash(f"So: {said}!")})]
    )
    merge_gold(home.assistant)
    for form in ("csv", "jsonl"):
        export_gold(home.assistant, tmp_path / "gold", form)
        assert import_gold(home.assistant, tmp_path / "gold", form).reviews == 0


def test_a_persons_last_answer_stands_and_counts_as_no_dispute(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(8))
    one = numbers(home)[0]
    home.talks[one].messages = [("user", {ASKING}, {ASKING})]
    home.store()
    (first,) = [each for each in home.reviews(one) if each.message_id is not None]
    none = answers_on_message(SCHEMA, "user", [])
    later = first.model_copy(update={"answers": none, "reviewed_at": NOW + timedelta(hours=1), "draw_id": None})
    append_reviews(home.assistant, [later, first])
    assert (trusted(home).agreement.positives, trusted(home).disputed) == (0, 0)
    append_reviews(home.assistant, home.reviews(one, "bea", reviewed_at=NOW + timedelta(hours=2)))
    assert (trusted(home).agreement.positives, trusted(home).people.disputed) == (0, 1)


def test_an_edited_annotation_of_label_studio_stands_in_place_of_the_first(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(6))
    home.read(numbers(home))
    merge_gold(home.assistant)
    path = tmp_path / "tasks.json"
    export_gold(home.assistant, path, "label-studio")
    assert trusted(home).agreement.positives > 0
    found = json.loads(path.read_text("utf-8"))
    relation = {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"}
    for task in found:
        for one in task["annotations"]:
            unlabelled = [each | {"value": {**each["value"], "paragraphlabels": []}} for each in one["result"][:1]]
            one |= {"result": [relation, *unlabelled], "updated_at": (NOW + timedelta(hours=5)).isoformat()}
    path.write_text(json.dumps(found), "utf-8")
    import_gold(replace(home.assistant, now=lambda: NOW + timedelta(days=1)), path, "label-studio")
    assert (trusted(home).agreement.positives, trusted(home).disputed) == (0, 0)


def test_a_draw_of_messages_asks_label_studio_about_these_alone(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(40))
    drawn = draw_gold(home.assistant, WantedDraw(way="doubt", size=3, label=ASKING))
    export_gold(home.assistant, tmp_path / "tasks.json", "label-studio", drawn.queue)
    found = json.loads((tmp_path / "tasks.json").read_text("utf-8"))
    marked = {one["message_id"] for task in found for one in task["data"]["dialogue"] if "label this" in one["author"]}
    assert marked == {one.message_id for one in drawn.items}
    for task in found:
        task["annotations"] = [{"completed_by": {"email": "ana"}, "created_at": NOW.isoformat(), "result": []}]
    (tmp_path / "tasks.json").write_text(json.dumps(found), "utf-8")
    assert import_gold(home.assistant, tmp_path / "tasks.json", "label-studio").reviews == 3


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("chance", "5", "not above 0"),
        ("chance", "nan", "not above 0"),
        ("seconds", "inf", "no time"),
        ("seconds", "-1", "no time"),
        ("reviewed_at", "2099-01-01", "in the future"),
        ("message_id", "", "without a message_id"),
    ],
)
def test_what_cannot_be_true_is_left_out_with_its_reason(tmp_path: Path, column: str, value: str, reason: str) -> None:
    home = labelled_home(tmp_path, talks(1))
    (kept,) = home.home.rows(
        "select conversation_id, message_id from messages where role = 'user' order by all limit 1"
    )
    row = {**kept, "event_type": ASKING, column: value}
    path = tmp_path / "labels.csv"
    path.write_text("\n".join([",".join(row), ",".join(row.values()), ""]), "utf-8")
    done = import_gold(home.assistant, path, "csv")
    assert (done.reviews, done.left_out) == (0, 1) and reason in done.reasons[0]


@pytest.mark.parametrize("is_said", [True, False])
def test_an_imported_quote_is_the_messages_own_words_or_none(tmp_path: Path, is_said: bool) -> None:
    home = labelled_home(tmp_path, talks(1))
    (of,) = home.home.rows(
        "select conversation_id, message_id, content from messages where role = 'user' order by all limit 1"
    )
    quote = of["content"].upper() if is_said else "nobody wrote this"
    path = tmp_path / "labels.csv"
    row = f"{of['conversation_id']},{of['message_id']},{ASKING},{quote}"
    path.write_text(f"conversation_id,message_id,event_type,quote\n{row}\n", "utf-8")
    done = import_gold(home.assistant, path, "csv")
    assert (done.reviews, done.left_out, done.quotes_not_found) == (1, 0, 0 if is_said else 1)
    kept = of["content"] if is_said else None
    assert home.home.rows("select quote from gold_labels where present") == [{"quote": kept}]


def test_rows_of_one_message_are_one_review_whatever_their_notes(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(1))
    (kept,) = home.home.rows(
        "select conversation_id, message_id from messages where role = 'user' order by all limit 1"
    )
    at = f"{kept['conversation_id']},{kept['message_id']}"
    path = tmp_path / "labels.csv"
    path.write_text(f"conversation_id,message_id,event_type,note\n{at},{ASKING},a\n{at},{THANKS},b\n", "utf-8")
    assert import_gold(home.assistant, path, "csv").reviews == 1
    rows = home.home.rows("select note, count(*) filter (where present) as events from gold_labels group by note")
    assert [(row["note"], row["events"]) for row in rows] == [("a; b", 2)]
    path.write_text(f'conversation_id,message_id,event_type,note\n{at},{ASKING},"a\n{at},{THANKS},b\n', "utf-8")
    with pytest.raises(InputError, match="row"):
        import_gold(home.assistant, path, "csv")


def test_labels_without_a_time_are_known_however_often_and_whenever_they_come(tmp_path: Path) -> None:
    home = labelled_home(tmp_path / "a", talks(6))
    kept = home.home.rows("select conversation_id, message_id from messages where role = 'user' order by all limit 3")
    rows = [f"{row['conversation_id']},{row['message_id']},{ASKING},ana" for row in kept]
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(["conversation_id,message_id,event_type,reviewer", *rows, ""]), "utf-8")
    assert import_gold(home.assistant, path, "csv").reviews == 3
    later = replace(home.assistant, now=lambda: NOW + timedelta(days=1))
    again = import_gold(later, path, "csv")
    assert (again.reviews, again.known) == (0, 3)
    path.write_text(path.read_text("utf-8").replace(f"{ASKING},ana", ",ana", 1), "utf-8")
    changed_mind = import_gold(later, path, "csv")
    assert (changed_mind.reviews, changed_mind.known) == (1, 2)
    export_gold(later, tmp_path / "tasks.json", "label-studio")
    for task in json.loads((tmp_path / "tasks.json").read_text("utf-8")):
        ids = [(one["id"], one["from_name"]) for each in task["annotations"] for one in each["result"]]
        assert len(ids) == len(set(ids))


@pytest.mark.parametrize("form", ["label-studio", "argilla"])
@pytest.mark.parametrize("queue", ["second", None])
def test_no_task_shows_a_first_readers_answers_to_the_second(tmp_path: Path, form: GoldForm, queue: str | None) -> None:
    home = labelled_home(tmp_path / "a", talks(8))
    home.read([0, 1, 2])
    merge_gold(home.assistant)
    drawn = draw_gold(home.assistant, WantedDraw(way="second", size=2))
    waiting = {item.conversation_id for item in drawn.items}
    path = tmp_path / "tasks.json"
    done = export_gold(home.assistant, path, form, queue)
    assert (done.hidden > 0) == (queue is None)
    for one in json.loads(path.read_text("utf-8")):
        about = one.get("data") or one["metadata"]
        assert about["conversation_id"] not in waiting or not (one.get("annotations") or one.get("responses"))
    home.read([int(one[1:]) for one in waiting], reviewer="bea")
    merge_gold(home.assistant)
    assert export_gold(home.assistant, path, form).hidden == 0


def test_label_studio_gets_what_was_drawn_with_its_interface(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(20))
    draw = draw_gold(home.assistant, WantedDraw(way="random", size=4))
    done = export_gold(home.assistant, tmp_path / "tasks.json", "label-studio")
    tasks = json.loads(done.paths[0].read_text())
    assert {task["data"]["conversation_id"] for task in tasks} == {item.conversation_id for item in draw.items}
    assert '<Label value="Asking"' in done.paths[1].read_text()
    assert 'whenLabelValue="Asking"' in done.paths[1].read_text()


def exported(tmp_path: Path, *, size: int = 4) -> tuple[LabelledHome, list[Any], Any]:
    """A home, and its records and settings in Argilla's form."""
    home = labelled_home(tmp_path, talks(20))
    draw_gold(home.assistant, WantedDraw(way="random", size=size))
    home.read([0, 1])
    done = export_gold(home.assistant, tmp_path / "tasks.json", "argilla")
    assert [path.name for path in done.paths] == ["tasks.json", "tasks.settings.json"]
    return home, *(json.loads(path.read_text()) for path in done.paths)


def test_argilla_gets_what_was_drawn_in_the_form_that_it_writes_itself(tmp_path: Path) -> None:
    """The keys are those of `Dataset.records.to_json` and `Settings.to_json` of Argilla 2.8."""
    home, records, asked = exported(tmp_path)
    keys = {"id", "fields", "metadata", "suggestions", "responses", "vectors"}
    assert all(set(one) == keys for one in records) and len({one["id"] for one in records}) == len(records)
    drawn = {item.conversation_id for item in gold_queue(home.assistant)}
    assert {one["metadata"]["conversation_id"] for one in records} == drawn | {"c0000", "c0001"}
    wanted = "guidelines questions fields vectors metadata allow_extra_metadata distribution mapping"
    assert set(asked) == set(wanted.split())
    by_name = {one["name"]: one for one in asked["questions"]}
    assert all(re.fullmatch(r"(?=.*[a-z0-9])[a-z0-9_-]+", name) for name in by_name)
    assert {one["value"] for one in by_name["events"]["settings"]["options"]} == {ASKING, THANKS, ANSWER}
    for record in records:
        for name, answers in record["responses"].items():
            for one in answers:
                UUID(one["user_id"])
                options = {option["value"] for option in by_name[name]["settings"].get("options", ())}
                said = [span["label"] for span in one["value"]] if name == "events" else [one["value"]]
                assert not options or set(said) <= options
                for span in one["value"] if name == "events" else ():
                    assert 0 <= span["start"] < span["end"] <= len(record["fields"]["message"])


def test_a_record_counts_as_read_when_somebody_of_argilla_says_so(tmp_path: Path) -> None:
    home, records, _ = exported(tmp_path)
    user = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
    free = [one for one in records if not one["responses"] and one["metadata"].get("message_id")]
    marked, none, unsure, unread = free[:4]
    label = ASKING if marked["metadata"]["message_id"] == "m0" else ANSWER
    marked["responses"] = {
        "read": [{"value": "read", "user_id": user}],
        "events": [{"value": [{"start": 0, "end": 3, "label": label}], "user_id": user}],
    }
    none["responses"] = {"read": [{"value": "read", "user_id": user}]}
    unsure["responses"] = {"read": [{"value": "unsure", "user_id": user}]}
    path = tmp_path / "done.json"
    path.write_text(json.dumps([marked, none, unsure, unread]))
    done = import_gold(home.assistant, path, "argilla")
    assert (done.reviews, done.left_out) == (2, 0)
    rows = home.home.rows(f"select message_id, name, present, quote from gold_labels where reviewer = '{user}'")
    assert [(row["name"], row["quote"]) for row in rows if row["present"]] == [(label, marked["fields"]["message"][:3])]
    assert {row["present"] for row in rows if row["message_id"] == none["metadata"]["message_id"]} >= {False}
    for broken in ([{"id": "x"}], {"a": 1}, [marked | {"responses": {"verdict_of_another_schema": []}}]):
        path.write_text(json.dumps(broken))
        with pytest.raises(InputError, match=r"done\.json"):
            import_gold(home.assistant, path, "argilla")


def test_what_is_imported_of_other_conversations_is_left_out_with_its_place(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(2))
    path = tmp_path / "gold.csv"
    path.write_text(
        "conversation_id,message_id,event_type\nc0000,m0,Asking\nc0000,m99,Asking\nc9,m0,\nc0001,m0,Nonsense\n"
    )
    done = import_gold(home.assistant, path, "csv", "ana")
    assert (done.reviews, done.labels, done.left_out) == (1, 2, 3)
    assert [reason.split(": ")[1] for reason in done.reasons] == ["row 3", "row 4", "row 5"]


def test_a_changed_definition_sets_aside_that_types_gold_alone_until_a_person_says_it_means_the_same(
    tmp_path: Path,
) -> None:
    home = labelled_home(tmp_path, talks(12))
    home.read(numbers(home))
    labelled = len(numbers(home))
    assert (trusted(home).labelled, trusted(home, THANKS).labelled) == (labelled, labelled)
    home.store(changed("The user asks for  something."))  # only spaces
    assert trusted(home).labelled == labelled
    home.store(changed("The user asks for help."))
    assert (trusted(home).labelled, trusted(home, THANKS).labelled) == (0, labelled)
    assert same_meaning(home.assistant, ASKING, "ana") == 1
    assert trusted(home).labelled == labelled
    home.store(changed("The user wants a refund."))
    assert trusted(home).labelled == 0


def test_another_model_or_prompt_leaves_gold_valid_and_a_changed_text_does_not(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(12))
    home.read(numbers(home))
    for talk in home.talks:
        talk.model = "fake:two"
    home.store()
    assert trusted(home).labelled == len(numbers(home))
    home.talks[numbers(home)[0]].messages[0] = ("user", {ASKING, THANKS}, set())  # says something else now
    home.talks[numbers(home)[1]].messages[0] = ("user", set(), set())
    home.store()
    assert trusted(home).labelled >= len(numbers(home)) - 2
    assert trusted(home).labelled < len(numbers(home))


def test_the_teaching_part_never_measures(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(30))
    home.read(numbers(home, "teach"))
    assert trusted(home).labelled == 0
    assert trusted(home).agreement.items == 0


def test_an_adjudication_stands_before_the_reviews_and_both_stay(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(8))
    one = numbers(home)[0]
    home.talks[one].messages = [("user", {ASKING}, {ASKING})]
    home.store()
    wrong = home.reviews(one)[0]
    none = answers_on_message(SCHEMA, "user", [])
    later = home.reviews(one, "bea", reviewed_at=NOW + timedelta(hours=1))
    append_reviews(home.assistant, [wrong.model_copy(update={"answers": none}), *later])
    assert trusted(home).agreement.positives == 0  # the first review stands
    assert (trusted(home).people.disputed, trusted(home).disputed) == (1, 1)
    home.read([one], "cleo", queue="adjudicated")
    assert trusted(home).agreement.positives == 1
    assert (trusted(home).people.items, trusted(home).people.disputed) == (1, 1)


def test_what_was_not_answered_blind_counts_neither_for_quality_nor_for_agreement(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(8))
    home.read(numbers(home), blind=False)
    assert (trusted(home).labelled, trusted(home).people.items) == (0, 0)


def test_every_conversation_has_the_same_chance_and_every_day_its_share() -> None:
    frame = [(date(2026, 3, 1) + timedelta(days=n % 7), f"c{n}") for n in range(700)]
    hits = dict.fromkeys((one for _, one in frame), 0)
    for seed in range(300):
        items = at_random(frame, 70, seed)
        assert len({item.conversation_id for item in items}) == 70
        assert {item.chance for item in items} == {0.1}
        for item in items:
            hits[item.conversation_id] += 1
    by_day = [
        sum(1 for item in at_random(frame, 70, 1) if int(item.conversation_id[1:]) % 7 == day) for day in range(7)
    ]
    assert set(by_day) <= {9, 10, 11}
    assert min(hits.values()) > 10 and max(hits.values()) < 55  # 30 expected, sd 5.2


def test_a_draw_by_doubt_has_chances_that_add_to_one_and_prefers_what_is_uncertain() -> None:
    random = Random(1)
    believed = [("c", f"m{n}", random.choice([0.01, 0.5])) for n in range(100)]
    items = by_doubt(believed, 1000, 1)
    chances = {item.message_id: item.chance for item in by_doubt(believed, 20_000, 2)}
    assert sum(one or 0 for one in chances.values()) == pytest.approx(1)
    assert sum(item.believed == 0.5 for item in items) > 700


def test_chances_of_several_draws_multiply() -> None:
    day = date(2026, 3, 1)
    assert chance_in([(day, day, 0.5), (day, day, 0.5)], day) == 0.75
    assert chance_in([(day, day, 0.5)], day + timedelta(days=1)) is None


def test_what_was_drawn_is_not_drawn_again_and_a_queue_knows_who_read_what(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(40))
    first = draw_gold(home.assistant, WantedDraw(way="random", size=15))
    second = draw_gold(home.assistant, WantedDraw(way="random", size=15, seed=3))
    ids = [item.conversation_id for item in (*first.items, *second.items)]
    assert len(set(ids)) == 30
    home.read([int(ids[0][1:])])
    left = gold_queue(home.assistant, reviewer="ana")
    assert len(left) == 29 and left[0].conversation_id == ids[1]
    assert gold_queue(home.assistant)[0].read_by == ("ana",)
    for_two = draw_gold(home.assistant, WantedDraw(way="second", size=5))
    assert [item.conversation_id for item in for_two.items] == [ids[0]]


def test_definitions_are_compared_by_words_and_a_propertys_by_its_choices_too() -> None:
    asking = SCHEMA.event_types[0]
    topic = asking.properties[0]
    assert definition_of(asking) == definition_of(asking.model_copy(update={"examples": ("Please?",)}))
    assert definition_of(topic) != definition_of(topic.model_copy(update={"choices": ("tax", "rent", "work")}))


def test_confusions_are_of_the_teaching_part_alone_and_their_use_is_recorded(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(30))
    for talk in home.talks:
        talk.messages = [("user", {ASKING}, {THANKS})]
    home.store()
    home.read(range(30), note="asks, does not thank")
    teaching = len(numbers(home, "teach"))
    assert 0 < teaching < 15
    found = {(one.label, one.is_missed): one for one in gold_errors(home.assistant)}
    assert {at: (one.instead, one.messages) for at, one in found.items()} == {
        (ASKING, True): (THANKS, teaching),
        (THANKS, False): (ASKING, teaching),
    }
    assert found[ASKING, True].examples[0].note == "asks, does not thank"
    merge_gold(home.assistant)
    assert [row["part"] for row in home.home.rows("select part from gold_uses")] == ["teach"]


def test_an_example_of_a_conversation_that_measures_is_refused_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = labelled_home(tmp_path, talks(12))
    home.read(range(12))
    for part, status in (("teach", 0), ("measure", 2)):
        row = home.home.rows("select conversation_id, content from messages where position = 0")
        text = next(one["content"] for one in row if part_of(one["conversation_id"]) == part)
        others = [one["content"] for one in row if part_of(one["conversation_id"]) == "measure"]
        shown = f"{text} of {part}" if part == "teach" and text in others else text.upper()
        first, *rest = SCHEMA.event_types
        made = SCHEMA.model_copy(update={"event_types": (first.model_copy(update={"examples": (shown,)}), *rest)})
        path = tmp_path / f"{part}.yml"
        path.write_text(dump(made))
        assert main(["schema", "check", str(path), "--home", str(home.assistant.settings.home)], {}) == status
        said = capsys.readouterr().out
        assert ("of a conversation by which labels are measured" in said) == (part == "measure")
    assert "event_types.0.examples" in said


def test_a_draw_by_doubt_gives_a_rate_of_its_days(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(60))
    draw = draw_gold(home.assistant, WantedDraw(way="doubt", size=80, label=ASKING))
    assert {part_of(item.conversation_id) for item in draw.items} == {"measure"}
    wanted = {(item.conversation_id, item.message_id) for item in draw.items}
    said = [one for n in range(60) for one in home.reviews(n, draw_id=draw.draw_id)]
    append_reviews(home.assistant, [one for one in said if (one.conversation_id, one.message_id) in wanted])
    found = trusted(home)
    everyone = [ASKING in truth for n in numbers(home) for role, truth, _ in home.talks[n].messages if role == "user"]
    assert found.doubted == 80 and found.by_doubt.low is not None and found.by_doubt.high is not None
    assert found.by_doubt.low < sum(everyone) / len(everyone) < found.by_doubt.high
    assert found.agreement.items == 0  # chosen for doubt: no figure of quality is made of them


def test_the_commands_draw_show_and_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = labelled_home(tmp_path, talks(60))
    texts = {"CPA_HOME": str(home.assistant.settings.home), "CPA_SCHEMA": home.home.environ["CPA_SCHEMA"]}
    assert main(["gold", "draw", "random", "--size", "50"], texts) == 0
    home.read(range(60))
    assert main(["gold", "status"], texts) == 0
    assert main(["gold", "plan", "--label", ASKING, "--within", "2"], texts) == 0
    said = capsys.readouterr().out
    assert re.search(r"Asking \(user\): \w+: \d+ conversations labelled, kappa 0\.\d\d \(", said)
    assert re.search(r"of messages: tagged [\d.]+%, corrected [\d.]+% \([\d.]+–[\d.]+\), gold alone", said)
    assert re.search(r"random: \d+ conversations \(\d+ done, about \d+ (?:minutes?|hours) more\)", said)
    assert main(["gold", "draw", "doubt"], texts) == 2


def label_named(name: str, *, positives: int, lacking: int) -> Trust:
    rate = TrustedRate(Rate(0, 9, 0.0, None, None, 9, 9.0), UNKNOWN, UNKNOWN, "none", f"label {lacking} more")
    return Trust(
        kind="event",
        key=name,
        name=name,
        role="user",
        agreement=replace(agreement([]), positives=positives, items=30),
        people=people_agreement([]),
        of_conversations=rate,
        of_messages=rate,
        labelled=30,
        lacking=lacking,
        disputed=0,
    )


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0, 30])), max_size=20))
def test_corrected_labels_come_first_and_those_without_a_positive_share_one_line(found: list[tuple[int, int]]) -> None:
    labels = [label_named(f"L{n}", positives=p, lacking=lack) for n, (p, lack) in enumerate(found)]
    lines = list(labels_lines(labels))
    heads = [one.partition(" ")[0] for one in lines if one.startswith("L")]
    bare = [one.name for one in labels if one.lacking and not one.agreement.positives]
    assert heads == [f"L{n}" for n, one in enumerate(found) if not one[1]] + [
        f"L{n}" for n, (positives, lack) in enumerate(found) if lack and positives
    ]
    assert sum("label 30 more" in one for one in lines) == len(heads) - sum(not lack for _, lack in found)
    assert [one for one in lines if "no positive is labelled" in one] == lines[len(lines) - bool(bare) :]
    assert all(f"{name} (user) 30" in lines[-1] for name in bare)


READ = DrawRead(draw_id="a", items=30, read=30)
HALF = DrawRead(draw_id="b", items=30, read=20)


@pytest.mark.parametrize(
    ("lacking", "draws", "left", "said"),
    [
        (0, [READ], 50, []),
        (9, [], 50, []),
        (
            8,
            [READ],
            50,
            ["next: cpa gold draw random --size 10; 0 drawn items are not read yet: 8 more must be labelled"],
        ),
        (8, [HALF], 50, ["next: read what is drawn, 10 items: 8 more must be labelled: read about 10"]),
        (12, [HALF], 50, ["next: cpa gold draw random --size 5; 10 drawn items are not read yet: 12 more must"]),
        (12, [READ], 4, ["next: cpa gold draw random --size 4; then land more days: only 4 of 90 conversations"]),
        (9, [READ], 0, ["warning: only 0 of 90 conversations of this home are left to read: rates are corrected"]),
        (9, [HALF], 0, ["next: read what is drawn, 10 items; then land more days: only 10 of 90 conversations"]),
    ],
)
def test_where_labels_are_lacking_the_next_step_is_one_that_can_be_done(
    lacking: int, draws: list[DrawRead], left: int, said: list[str]
) -> None:
    found = list(next_labels([lacking] if lacking else [], draws, left, 90))
    assert len(found) == len(said) and all(one.startswith(begin) for one, begin in zip(found, said, strict=True))


@given(st.lists(st.integers(1, 400), min_size=1, max_size=6), st.integers(0, 300))
def test_the_next_step_is_for_the_label_that_needs_fewest_and_all_labels_have_a_line(
    lacking: list[int], left: int
) -> None:
    alone = list(next_labels([min(lacking)], [HALF], left, 400))
    found = list(next_labels(lacking, [HALF], left, 400))
    assert [one.replace(" for the label that needs fewest", "") for one in found[: len(alone)]] == alone
    rest = found[len(alone) :]
    assert bool(rest) == (min(lacking) < max(lacking) and with_those_that_teach(min(lacking)) <= left + 10)
    read = with_those_that_teach(max(lacking))
    assert all(f"about {read} must be read" in one and ("more days" in one) == (read > left + 10) for one in rest)


@pytest.mark.parametrize(
    ("of", "reachable", "said"),
    [
        (120, 0.032, "± 1 is out of reach, all 120 conversations bring ± 3.20; now: no interval yet"),
        (20, None, "all 20 conversations are too few for an interval; now: no interval yet"),
    ],
)
def test_a_width_that_cannot_be_reached_is_said_with_the_one_that_can(
    of: int, reachable: float | None, said: str
) -> None:
    way = PlannedWay(
        way="random",
        unit="conversations",
        done=0,
        needed=None,
        minutes=None,
        now=None,
        after_half_an_hour=None,
        of=of,
        reachable=reachable,
    )
    assert said in list(plan_lines(Planned(label="Asking", within=0.01, is_assumed=True, ways=(way,))))[1]


def test_long_reading_is_said_in_hours() -> None:
    assert [in_words(one) for one in (0.2, 40, 119, 2366)] == ["1 minute", "40 minutes", "119 minutes", "39 hours"]


def test_a_home_that_is_read_whole_is_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = labelled_home(tmp_path, talks(20))
    texts = {"CPA_HOME": str(home.assistant.settings.home), "CPA_SCHEMA": home.home.environ["CPA_SCHEMA"]}
    assert main(["gold", "draw", "random", "--size", "20"], texts) == 0
    home.read(range(20))
    assert main(["gold", "status"], texts) == 0
    said = capsys.readouterr().out
    assert "warning: only 0 of 20 conversations of this home are left to read" in said and "next: read" not in said
