"""Tables as reports have them: a title above, totals below, names in another case; and no message is lost with them."""

import io
import zipfile
from datetime import UTC, datetime

import pytest

from cpa_core.errors import SourceError
from cpa_core.sources import File, opened
from tests.formats.reading import MIDNIGHT, Said, read_file
from tests.sources.test_dialects import PARTS, SHEET, workbook

AT = "2026-03-02T09:00:00Z"
HEADER = "conversation_id,role,content,timestamp\n"
ROWS = f"c1,user,hi,{AT}\nc1,assistant,ho,2026-03-02T09:00:05Z\n"
BOTH: Said = [("user", "hi"), ("assistant", "ho")]
WORDS = {"conversation_id": "chat", "role": "sender", "content": "message text", "timestamp": "sent at"}

REPORTS: dict[str, tuple[str, dict[str, str]]] = {
    "a title": ("Chat report\n" + HEADER + ROWS, {}),
    "a title with a mark": ("\ufeffChats, all\n" + HEADER + ROWS, {}),
    "a title in a sheet": ("Chat report,,,\n,,,\n" + HEADER + ROWS, {}),
    "notes": ("Report: chats\nExported on: 2026-03-03 10:00\nFilter: all, active\n\n" + HEADER + ROWS, {}),
    "comments": ("# exported 2026\n# by us\n" + HEADER + ROWS, {}),
    "semicolons": ("Bericht\n\n" + (HEADER + ROWS).replace(",", ";"), {}),
    "totals": (HEADER + ROWS + "Total,2,,\n", {}),
    "empty rows": (HEADER + ROWS + ",,,\n , ,,\n", {}),
    "our words in another case": (HEADER.title() + ROWS, {}),
    "our words with spaces": ("Conversation ID,Role,Content,Timestamp (UTC)\n" + ROWS, {}),
    "words that are named in another case": ("Chat,SENDER,Message Text,Sent At [UTC]\n" + ROWS, WORDS),
    "a title above words that are named": ("Chats\n\nChat,Sender,Message_Text,Sent at\n" + ROWS, WORDS),
}


def talk(content: str | bytes, name: str = "a.csv", **how: object) -> tuple[list[tuple[str, str, str]], list[str]]:
    """Who said what when, in order, and the reasons of rejects that lose something."""
    records, rejects = read_file(content, name, **how)
    ordered = sorted(records, key=lambda one: (one.sent_at, one.ordinal))
    said = [(one.role, one.content, one.sent_at.strftime("%Y-%m-%dT%H:%M:%SZ")) for one in ordered]
    return said, [one.reason for one in rejects if one.loss]


@pytest.mark.parametrize("report", REPORTS)
def test_a_report_holds_the_messages_of_its_table(report: str) -> None:
    text, names = REPORTS[report]
    said, lost = talk(text, names=names)
    assert [one[:2] for one in said] == BOTH and said[0][2] == AT and not lost


def test_lines_that_are_left_out_are_named_and_the_others_keep_their_numbers() -> None:
    file = File("a.csv", f"Report\n\n{HEADER}{ROWS}c1,user\nTotal,2,,\n".encode())
    found = opened(file, MIDNIGHT)
    assert [one.place for one in found.rejects] == ["line 6"]
    assert found.notes == (
        "a.csv: the header stands on line 3; the lines above it are left out",
        "a.csv: the totals at its end are left out",
    )


@pytest.mark.parametrize(
    "content",
    [ROWS + HEADER + ROWS, f"c1,user,hi,\n{HEADER}{ROWS}", f"my card was stolen\n{ROWS}"],
    ids=["messages above", "a message without a time above", "no header"],
)
def test_what_may_be_a_message_is_never_left_out(content: str) -> None:
    with pytest.raises(SourceError):
        talk(content)


@pytest.mark.parametrize("last", ["Total,user,I want 2,", f"total,user,2,{AT}", "Total,,two of them,"])
def test_a_last_row_in_which_somebody_speaks_is_no_total(last: str) -> None:
    said, lost = talk(f"{HEADER}{ROWS}{last}\n")
    assert len(said) + len(lost) == 3


def test_a_time_may_be_the_days_that_a_spreadsheet_counts_in_a_table_only() -> None:
    said, lost = talk(f"{HEADER}c1,user,hi,46083.375\nc1,assistant,ho,46083.3750578704\nc1,user,so,12345\n")
    assert [one[2] for one in said] == [AT, "2026-03-02T09:00:05Z"] and len(lost) == 1
    with pytest.raises(SourceError, match="timestamp: not a time"):
        talk('{"conversation_id": "c", "role": "user", "content": "hi", "timestamp": 46083.375}\n', "a.jsonl")


@pytest.mark.parametrize("unit", ["GMT+1", "Europe/Berlin", "+01:00"])
def test_a_column_that_names_its_zone_has_it(unit: str) -> None:
    said, _ = talk(HEADER.replace("timestamp", f"timestamp ({unit})") + "c1,user,hi,2026-03-02 10:00:00\n")
    assert said == [("user", "hi", AT)]


def test_two_columns_that_differ_in_case_alone_are_told_apart() -> None:
    said, _ = talk("conversation_id,role,Role,content,timestamp\n" + f"c1,user,Boss,hi,{AT}\n")
    assert said == [("user", "hi", AT)]
    with pytest.raises(SourceError, match="missing columns: role"):
        talk("conversation_id,ROLE,Role,content,timestamp\n" + f"c1,user,Boss,hi,{AT}\n")


def test_a_workbook_with_a_title_holds_its_table() -> None:
    pytest.importorskip("python_calamine")
    days = (datetime(2026, 3, 2, 9, tzinfo=UTC) - datetime(1899, 12, 30, tzinfo=UTC)).total_seconds() / 86_400
    blank = ["", "", ""]
    book = workbook([["Chats", *blank], ["", *blank], [*HEADER.strip().split(",")], ["c1", "user", "hi", days]])
    assert talk(book, "a.xlsx") == ([("user", "hi", AT)], [])


def sheets(*tables: list[list[str]], merged: str = "") -> bytes:
    """A workbook of two sheets, Notes and Chats; `merged` are the cells of the second that are one."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        for name, text in PARTS.items():
            packed.writestr(name, text)
        for n, table in enumerate(tables, 1):
            cells = (
                "".join(f'<c t="inlineStr"><is><t>{one}</t></is></c>' if one else "<c/>" for one in row)
                for row in table
            )
            xml = SHEET.format(rows="".join(f"<row>{row}</row>" for row in cells))
            ends = (
                f'<mergeCells><mergeCell ref="{merged}"/></mergeCells></worksheet>'
                if merged and n == 2
                else "</worksheet>"
            )
            packed.writestr(f"xl/worksheets/sheet{n}.xml", xml.replace("</worksheet>", ends))
    return file.getvalue()


TABLE = [line.split(",") for line in (HEADER + ROWS).splitlines()]


def test_sheets_with_one_header_are_one_table() -> None:
    pytest.importorskip("python_calamine")
    later = [TABLE[0], ["c2", "user", "bye", "2026-03-03T09:00:00Z"]]
    assert [one[:2] for one in talk(sheets(TABLE, later), "a.xlsx")[0]] == [*BOTH, ("user", "bye")]


def test_a_sheet_of_messages_comes_before_other_tables_which_are_named() -> None:
    pytest.importorskip("python_calamine")
    file = File("a.xlsx", sheets([["day", "chats"], ["2026-03-02", "1"]], TABLE))
    assert opened(file, MIDNIGHT).notes == ("a.xlsx: read is the sheet Chats, not Notes",)
    assert [one[:2] for one in talk(file.content, "a.xlsx")[0]] == BOTH  # type: ignore[arg-type]


def test_a_merged_cell_stands_in_each_of_its_rows() -> None:
    pytest.importorskip("python_calamine")
    rows = [TABLE[0], TABLE[1], ["", *TABLE[2][1:]]]
    said, lost = talk(sheets([["a note"]], rows, merged="A2:A3"), "a.xlsx")
    assert [one[:2] for one in said] == BOTH and not lost
