"""The report of the examples: one file, nothing from outside, a conversation behind every number."""

import hashlib
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cpa_core.cli import main
from cpa_core.demo import demo_settings
from cpa_core.errors import InputError, NotFound
from cpa_core.pipeline import Assistant, DayRange, build_day, due_days, land, run_day, write_report
from cpa_core.report.behind import Group
from cpa_core.report.choosing import chosen, within
from cpa_core.settings import settings

pytestmark = pytest.mark.slow

VENDOR = Path(__file__).parents[2] / "cpa_core" / "report" / "vendor"


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Assistant:
    """The therapist example, tagged and judged."""
    made = Assistant.of(demo_settings("therapist", tmp_path_factory.mktemp("demo")))
    land(made)
    for row in due_days(made):
        run_day(made, row["day"])
    return made


@pytest.fixture(scope="module")
def page(assistant: Assistant) -> str:
    return write_report(assistant).path.read_text("utf-8")


def data(page: str) -> dict[str, Any]:
    """The page's JSON."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    parsed: dict[str, Any] = json.loads(found[1])
    return parsed


def test_the_command_writes_one_file_into_the_home_and_says_what_is_in_it(
    assistant: Assistant, capsys: pytest.CaptureFixture[str]
) -> None:
    home = assistant.settings.home
    assert main(["report", "--home", str(home)], {}) == 0
    assert f"{home / 'report.html'}: 14 conversations, 2026-03-02 to 2026-03-06" in capsys.readouterr().out
    assert (home / "report.html").stat().st_size < 2_000_000


def test_nothing_in_the_page_is_fetched_from_anywhere(page: str) -> None:
    markup = re.sub(r"<script.*?</script>|<style.*?</style>|<pre>.*?</pre>", "", page, flags=re.DOTALL)
    assert not re.search(r"""(src|href|action|srcset|data)\s*=\s*["'](?!#)""", markup)
    assert 'content="default-src &#39;none&#39;; script-src &#39;sha256-' in page
    style = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert len(style) == 1 and "url(" not in style[0] and "@import" not in style[0]


def test_every_drill_down_that_the_page_names_is_there_with_at_most_twenty_conversations(page: str) -> None:
    tree = data(page)
    named = set(re.findall(r'data-drill="([^"]+)"', page)) | set(re.findall(r'"drill":"([^"]+)"', json.dumps(tree)))
    assert len(named) > 200 and {key.replace("&#39;", "'").replace("&amp;", "&") for key in named} <= set(
        tree["drills"]
    )
    for drill in tree["drills"].values():
        assert drill["title"] and 1 <= len(drill["examples"]) <= 20
        assert len(drill["examples"]) == min(20, drill["total"])
        assert all(0 <= n < len(tree["conversations"]) for n in drill["examples"])


def test_a_conversation_in_the_page_has_its_quotes_reasons_verdicts_model_and_schema(page: str) -> None:
    (one,) = [one for one in data(page)["conversations"] if one["id"] == "therapist-08"]
    (turn,) = [turn for turn in one["turns"] if turn["position"] == 2]
    quoted = {turn["events"][n]["type"]: text for text, events in turn["parts"] for n in events}
    assert quoted["Resistance"] == "I don't have anger issues."
    assert all(event["because"] for event in turn["events"])
    assert {finding["verdict"] for finding in one["judgment"]["findings"]} >= {"met", "not hit"}
    assert one["made"]["judged"] == "reference:annotations" and re.fullmatch(r"[0-9a-f]{12}", one["made"]["schema"])


def test_below_fifty_conversations_it_says_so_and_greys_every_rate(page: str) -> None:
    assert "14 conversations are fewer than 50" in page
    rates = re.findall(r'<td class="(text|number)( few)?"[^>]*><div>(?:<button[^>]*>)?[\d.]+%.*?95%', page)
    assert len(rates) > 50 and all(few for _, few, *_ in rates)


def test_what_is_not_tagged_or_judged_yet_is_said_at_the_head(tmp_path: Path) -> None:
    made = Assistant.of(demo_settings("therapist", tmp_path))
    land(made)
    for row in due_days(made):
        build_day(made, row["day"])
    text = write_report(made).path.read_text("utf-8")
    assert "Of 14 conversations 0 are tagged and 0 judged; the others have no part" in text
    assert data(text)["figures"]["overview"]["conversations"] == 14


def test_only_the_days_asked_for_are_in_it(assistant: Assistant, tmp_path: Path) -> None:
    made = write_report(assistant, DayRange(first=date(2026, 3, 3), last=date(2026, 3, 4)), tmp_path / "part.html")
    assert made.conversations == 6
    assert {one["day"] for one in data(made.path.read_text("utf-8"))["conversations"]} == {"2026-03-03", "2026-03-04"}
    with pytest.raises(NotFound, match="days here: 2026-03-02 to 2026-03-06"):
        write_report(assistant, DayRange(first=date(2027, 1, 1)))


def test_a_home_without_conversations_has_no_report_and_stays_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no conversation yet"):
        write_report(Assistant.of(settings({"CPA_HOME": str(tmp_path / "home")})))
    assert not (tmp_path / "home").exists()


def test_days_to_compare_with_and_days_of_changes_must_be_there(assistant: Assistant) -> None:
    with pytest.raises(NotFound, match="days here"):
        write_report(assistant, DayRange(compare=(date(2025, 1, 1), date(2025, 1, 7))))
    with pytest.raises(InputError, match="must lie after 2026-03-02, up to 2026-03-06"):
        write_report(assistant, DayRange(changes=((date(2026, 3, 2), "too early"),)))


def test_the_charts_library_is_the_one_that_its_notice_names() -> None:
    notice = (VENDOR / "README.md").read_text("utf-8")
    noticed = dict(re.findall(r"\| `(\S+)` \|.*\| `([0-9a-f]{64})` \|", notice))
    assert noticed == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.glob("*.js")}


def test_every_number_gets_its_first_example_before_any_gets_a_second() -> None:
    groups = [Group(9, (1, 2, 3)), Group(9, (3, 4)), Group(1, (5,)), Group(9, (6, 7))]
    assert chosen(groups, 4) == {1, 3, 5, 6}
    assert chosen(groups, 5) == {1, 3, 5, 6, 2}
    assert chosen(groups, 99) == {1, 2, 3, 4, 5, 6, 7}
    assert chosen(groups, 10, {1: 4, 2: 1, 3: 4, 4: 9, 5: 2, 6: 9, 7: 9}.__getitem__) == {1, 3, 5}
    assert within({"a": groups[0]}, {1, 3}) == {"a": Group(9, (1, 3))}


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_every_text_stands_out_from_what_is_behind_it(theme: str) -> None:
    """Contrast of at least 4.5 to 1, as WCAG 2 asks of text."""
    style = (VENDOR.parent / "page" / "report.css").read_text("utf-8")
    light, dark, printed = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", part.partition("}")[0]))
        for part in style.split(":root {")[1:]
    )
    colours = light | {"light": {}, "dark": dark, "print": printed}[theme]
    for text in ("ink", "muted", "faint", "accent", "good", "bad", "middle"):
        for behind in ("paper", "sheet"):
            assert contrast(colours[text], colours[behind]) >= 4.5, (text, behind)
    assert (
        contrast(colours["ink"], colours["mark"]) >= 4.5 and contrast(colours["mark-ink"], colours["mark-hit"]) >= 4.5
    )


def contrast(one: str, other: str) -> float:
    """The ratio of two colours' luminances."""
    low, high = sorted(luminance(colour) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
