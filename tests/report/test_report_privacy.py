"""What of a conversation's words is in the report, and that none of it is ever markup."""

import json
import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from cpa_core.models import Criteria, EventSchema, EventType, Property
from cpa_core.pipeline import Assistant, write_report
from cpa_core.schema import dump
from cpa_core.settings import settings
from tests.delivery.test_privacy import BECAUSE, DAY, SAID, START, runs, said, store
from tests.report.test_report import data

pytestmark = pytest.mark.slow

SILENT = "Nobody tagged this sentence about the lighthouse"
CANARIES = ("Zebulon", "Quartermain", "zebulon@", "greenhouse", "Canary", "sings", "lighthouse")
STRIKES = ("<script>strike()</script>", '"><img src=x onerror="strike()">', "</script><!-- {{7*7}} \u2028")


def page(folder: Path, messages: list[dict[str, Any]], privacy: str | None = None, **fields: str) -> str:
    """The report on one conversation; its last message has no event."""
    given = {"CPA_HOME": str(folder), **({"CPA_PRIVACY": privacy} if privacy else {})}
    made = Assistant.of(settings(given))
    store(made, messages, **fields)
    last = {"day": DAY, "conversation_id": fields.get("conversation_id", "c1"), "message_id": "last"}
    at = START + timedelta(minutes=30)
    with made.store.writing() as transaction:
        silent = SILENT if messages[0]["content"] else ""
        transaction.insert("messages", [last | {"position": 90, "role": "user", "content": silent, "sent_at": at}])
    return write_report(made).path.read_text("utf-8")


def test_without_text_no_twelve_characters_of_a_message_are_in_the_report(tmp_path: Path) -> None:
    texts = [*SAID, "Question about Conversation Judged by schema_version, role user"]
    made = page(tmp_path / "a", said(*texts), "no_text", conversation_id=SAID[1], user_id=SAID[1])
    baseline = page(tmp_path / "b", said(*[""] * len(texts)), "no_text", because="")
    words = [*texts, BECAUSE, SILENT]
    assert {run for text in words for run in runs(text) if run in made and run not in baseline} == set()
    assert not [canary for canary in CANARIES if canary in made]
    (one,) = data(made)["conversations"]
    assert one["id"].startswith("h-") and all(turn["parts"] == [] for turn in one["turns"])
    assert {event["because"] for turn in one["turns"] for event in turn["events"]} == {None}
    assert one["judgment"]["intent"] == {"wanted": None, "delivered": "no", "quote": None}
    assert all(event["properties"] == {"Topic": "Tax"} for turn in one["turns"] for event in turn["events"])


def test_by_default_there_are_quotes_alone_and_no_identifier(tmp_path: Path) -> None:
    made = page(tmp_path, said(*SAID))
    (one,) = data(made)["conversations"]
    quotes = [text for turn in one["turns"] for text, _ in turn["parts"]]
    assert quotes[0] == "My name is [NAME_1], write to [EMAIL_1] about my refund" and quotes[1] == SAID[1]
    assert one["judgment"]["intent"] == {
        "wanted": one["turns"][0]["events"][0]["because"],
        "delivered": "no",
        "quote": quotes[0],
    }
    assert one["turns"][0]["events"][0]["because"] == "Mr [NAME_1] says that the canary sings in the greenhouse"
    assert one["turns"][0]["events"][0]["properties"]["Subject"] == quotes[0]
    assert not [word for word in ("Zebulon", "Quartermain", "zebulon@", "lighthouse") if word in made]


def test_only_when_all_text_is_wanted_are_whole_messages_in_it(tmp_path: Path) -> None:
    (one,) = data(page(tmp_path, said(*SAID), "full"))["conversations"]
    assert ["".join(text for text, _ in turn["parts"]) for turn in one["turns"]] == [*SAID, SILENT]


@pytest.mark.parametrize("privacy", ["redacted", "full"])
def test_words_of_people_and_models_are_never_markup(tmp_path: Path, privacy: str) -> None:
    made = hostile(tmp_path, privacy)
    found = Elements(made)
    assert found.tags["script"] == 5 and found.tags["style"] == 1
    assert not {"img", "iframe", "object", "embed", "link", "base"} & found.tags.keys()
    assert not [name for name in found.attributes if name.startswith("on")]
    (embedded,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', made, re.DOTALL)
    assert not re.search("[<>&\u2028\u2029]", embedded)
    assert STRIKES[0] in json.dumps(json.loads(embedded)) and "&lt;script&gt;strike()&lt;/script&gt;" in made


class Elements(HTMLParser):
    """The elements and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: dict[str, int] = {}
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.attributes |= {name for name, _ in attrs}


def hostile(folder: Path, privacy: str) -> str:
    """The report of a home in which every word is a script."""
    prop = Property(name=STRIKES[1], definition="D.", choices=STRIKES)
    schema = EventSchema(
        name=STRIKES[0],
        description=STRIKES[1],
        criteria=Criteria(primary_goals=(STRIKES[0],), dealbreakers=(STRIKES[1],)),
        event_types=tuple(
            EventType(name=strike, definition="D.", role="user", properties=(prop,)) for strike in STRIKES
        ),
    )
    made = Assistant.of(settings({"CPA_HOME": str(folder), "CPA_PRIVACY": privacy}))
    store(made, said(*STRIKES), conversation_id=STRIKES[0], because=STRIKES[2])
    verdicts = json.dumps({"P1": {"verdict": "missed", "because": STRIKES[2], "quote": STRIKES[0]}})
    hits = json.dumps({"D1": {"hit": True, "because": STRIKES[1], "quote": STRIKES[1]}})
    properties = json.dumps({STRIKES[1]: STRIKES[0]})
    with made.store.writing() as transaction:
        later = {"version": schema.version, "yaml": dump(schema), "created_at": START + timedelta(days=1)}
        transaction.insert("event_schemas", [later | {"origin": STRIKES[0]}])
        transaction.execute(
            "update tagged_events set schema_version = $version, properties = $p", version=schema.version, p=properties
        )
        transaction.execute(
            "update tagged_events set event_type = m.content from messages m where m.position = tagged_events.position"
        )
        transaction.execute(
            "update judge_scores set schema_version = $version, verdicts = $v, dealbreakers = $d, because = $b",
            version=schema.version, v=verdicts, d=hits, b=STRIKES[2],
        )  # fmt: skip
    return write_report(made).path.read_text("utf-8")
