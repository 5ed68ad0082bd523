"""Around a delivery: what would be sent, what is sent again, what is there and no longer true."""

from datetime import timedelta
from pathlib import Path

import pytest

from cpa_core.cli import main
from cpa_core.cli.delivery import reconciled_lines
from cpa_core.destinations import DESTINATIONS, DestinationSpec
from cpa_core.pipeline import Reconciled, deliver_day, preview_day, reconciled, rejected_days
from tests.servers.amplitude import AmplitudeServer
from tests.servers.posthog import PostHogServer
from tests.support.commands import at, chats, cpa
from tests.support.deliveries import (
    CONTENT,
    DAY,
    SCRIPTED,
    START,
    Scripted,
    assistant,
    counts,
    ledger,
    store_day,
    to_amplitude,
    to_posthog,
)
from tests.support.homes import Home


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    made = Scripted()
    monkeypatch.setitem(DESTINATIONS, "scripted", DestinationSpec("scripted", "", lambda given: made))
    return made


def found(home: Path, **environ: str) -> list[tuple[int, int, int, int, int, int]]:
    lines = reconciled(assistant(home, **environ), [DAY])
    return [(one.events, one.accepted, one.rejected, one.open, one.difference, one.stale) for one in lines]


def test_a_preview_counts_by_type_shows_samples_without_text_and_sends_nothing(
    tmp_path: Path, posthog: PostHogServer
) -> None:
    store_day(tmp_path, messages=3)
    (preview,) = preview_day(assistant(tmp_path, **to_posthog(posthog)), DAY)
    assert (preview.types, preview.already) == ({"Conversation Judged": 1, "Question": 3}, 0)
    assert [event.name for event in preview.samples] == ["Conversation Judged", "Question"]
    assert preview.samples[1].sent_at == START
    assert CONTENT not in str(preview)
    assert not posthog.asked and not ledger(tmp_path)
    (full,) = preview_day(assistant(tmp_path, CPA_PRIVACY="full", **to_posthog(posthog)), DAY)
    assert full.samples[1].payload["content"] == CONTENT


def test_a_preview_leaves_out_what_was_delivered_and_says_what_holds_the_day_back(
    tmp_path: Path, posthog: PostHogServer
) -> None:
    store_day(tmp_path)
    deliver_day(assistant(tmp_path, **to_posthog(posthog)), DAY)
    store_day(tmp_path, messages=3, judge="error")
    (preview,) = preview_day(assistant(tmp_path, **to_posthog(posthog)), DAY)
    assert preview.already == 0 and preview.types == {"Question": 3}
    assert preview.unfinished == 1


def test_a_dry_run_prints_the_preview_and_reaches_nobody(
    tmp_path: Path, posthog: PostHogServer, capsys: pytest.CaptureFixture[str]
) -> None:
    store_day(tmp_path)
    environ = {"CPA_HOME": str(tmp_path), **to_posthog(posthog)}
    assert main(["run", "--dry-run", "nowhere.json"], environ) == 0
    shown = capsys.readouterr().out
    assert f"{DAY} posthog: 3 events to send, 0 need not be sent" in shown
    assert "2 Question" in shown and '"event": "Question"' in shown and CONTENT not in shown
    assert "nothing was landed, asked or sent" in shown
    assert not posthog.asked and not ledger(tmp_path)
    assert main(["run", "--dry-run", "--day", "2026-03-05"], environ) == 2


def test_what_was_rejected_is_sent_again_only_when_that_is_asked(tmp_path: Path, scripted: Scripted) -> None:
    store_day(tmp_path, messages=3)
    scripted.statuses = {"m1": "rejected"}
    deliver_day(assistant(tmp_path, **SCRIPTED), DAY)
    assert rejected_days(assistant(tmp_path, **SCRIPTED)) == [DAY]
    assert rejected_days(assistant(tmp_path)) == []
    scripted.statuses, scripted.sent = {}, []
    assert deliver_day(assistant(tmp_path, **SCRIPTED), DAY).sent == 0
    again = deliver_day(assistant(tmp_path, **SCRIPTED), DAY, retry_rejected=True)
    assert [event.message_id for event in scripted.sent] == ["m1"]
    assert (again.sent, again.accepted) == (1, 1)
    assert counts(tmp_path) == {"accepted": 4}
    assert rejected_days(assistant(tmp_path, **SCRIPTED)) == []


def test_events_and_receipts_differ_by_nothing_once_each_has_its_receipt(tmp_path: Path, scripted: Scripted) -> None:
    store_day(tmp_path, messages=5)
    assert found(tmp_path) == []
    scripted.statuses = {"m0": "rejected", "m1": "unknown", "m2": "retryable"}
    deliver_day(assistant(tmp_path, **SCRIPTED), DAY)
    assert found(tmp_path) == [(6, 3, 1, 2, 0, 0)]
    store_day(tmp_path, messages=7)
    assert found(tmp_path) == [(8, 3, 1, 2, 2, 0)]


def test_an_event_that_is_no_more_is_stale(tmp_path: Path, posthog: PostHogServer) -> None:
    store_day(tmp_path, messages=3)
    assert deliver_day(assistant(tmp_path, **to_posthog(posthog)), DAY).stale == 0
    store_day(tmp_path, messages=1)
    assert deliver_day(assistant(tmp_path, **to_posthog(posthog)), DAY).stale == 2
    assert found(tmp_path) == [(2, 2, 0, 0, 0, 2)]


def test_a_version_from_before_a_correction_is_stale_only_where_it_is_not_replaced(
    tmp_path: Path, posthog: PostHogServer, amplitude: AmplitudeServer
) -> None:
    both = to_posthog(posthog) | to_amplitude(amplitude) | {"CPA_DESTINATIONS": "posthog,amplitude"}
    for topic in ("Tax", "Form"):
        store_day(tmp_path, messages=2, topic=topic)
        deliver_day(assistant(tmp_path, **both), DAY)
    by_name = {one.destination: one for one in reconciled(assistant(tmp_path), [DAY])}
    assert {name: (one.difference, one.stale) for name, one in by_name.items()} == {
        "posthog": (0, 0),
        "amplitude": (0, 2),
    }


def test_status_shows_the_reconciliation(
    tmp_path: Path, posthog: PostHogServer, capsys: pytest.CaptureFixture[str]
) -> None:
    store_day(tmp_path)
    deliver_day(assistant(tmp_path, **to_posthog(posthog)), DAY)
    assert main(["status"], {"CPA_HOME": str(tmp_path)}) == 0
    line = "receipts: 2026-03-04 posthog: 3 events = 3 accepted + 0 rejected + 0 open, difference 0, stale 0"
    assert line in capsys.readouterr().out


def test_a_line_says_its_sum() -> None:
    one = Reconciled(
        day=DAY + timedelta(days=1),
        destination="d",
        project="p",
        events=9,
        left_out=0,
        accepted=5,
        rejected=2,
        open=1,
        difference=1,
        stale=4,
    )
    assert reconciled_lines([one]) == [
        "receipts: 2026-03-05 d: 9 events = 5 accepted + 2 rejected + 1 open, difference 1, stale 4: "
        "cpa run --correct withdraws them"
    ]


@pytest.mark.parametrize("vendor", ["posthog", "amplitude"])
def test_a_wrong_key_ends_with_two_after_one_request_and_with_the_right_one_all_is_delivered(
    home: Home,
    posthog: PostHogServer,
    amplitude: AmplitudeServer,
    vendor: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = {"posthog": posthog, "amplitude": amplitude}[vendor]
    home.write("a.json", chats(3))
    key = f"{vendor.upper()}_API_KEY"
    home.environ |= at(server) | {key: "key-of-nobody"}
    assert cpa(home, "run") == 2
    assert f"{vendor}: 4" in capsys.readouterr().err
    assert len(server.asked) == 1 and not server.rows
    assert {row["status"] for row in home.rows("select status from upload_receipts")} == {"retryable"}
    assert "key-of-nobody" not in str(home.rows("select * from upload_receipts"))
    home.environ[key] = server.key
    assert cpa(home, "run") == 0
    assert len(server.rows) == 9
    assert len(home.rows("select * from upload_receipts where status = 'accepted'")) == 9
    capsys.readouterr()
    assert cpa(home, "status") == 0
    shown = capsys.readouterr().out
    assert "9 events = 9 accepted + 0 rejected + 0 open, difference 0, stale 0" in shown
    assert shown.count("receipts: ") == 1 and "retryable" not in shown


def test_the_command_sends_again_what_was_rejected(home: Home, posthog: PostHogServer) -> None:
    home.write("a.json", chats(2))
    posthog.results = lambda event: (
        ("drop", "event_restriction_drop") if "message_id" in event["properties"] else ("ok", None)
    )
    assert cpa(home, "run") == 1
    posthog.results = lambda event: ("ok", None)
    assert cpa(home, "run") == 0 and len(posthog.rows) == 2
    assert cpa(home, "run --retry-rejected") == 0 and len(posthog.rows) == 6
