"""Tables as people save them: any separator, encoding and workbook holds the same messages; what is not read helps."""

import codecs
import csv
import gzip
import io
import itertools
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpa_core.errors import SourceError
from cpa_core.sources import File, as_records, opened, read
from cpa_core.sources.identity import Opened
from tests.support.examples import examples
from tests.support.homes import Home

AT = "2026-03-04T09:00:00Z"
HEADER = ["conversation_id", "role", "content", "timestamp"]
ROWS = [
    ["c1", "user", 'Hi; there, "you"\tand | me', AT],
    ["c1", "assistant", "H\u00e9llo \u2013 \u201cna\u00efve\u201d\nline two", AT],
]


def written(separator: str, rows: list[list[str]] = ROWS, header: list[str] = HEADER, end: str = "\n") -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator=end).writerows([header, *rows])
    return text.getvalue()


def contents(name: str, content: bytes) -> list[list[str]]:
    found = sorted(as_records(read(File(name, content), None)), key=lambda r: r.ordinal)
    return [[r.conversation_id, r.role, r.content, r.sent_at.strftime("%Y-%m-%dT%H:%M:%SZ")] for r in found]


ENCODINGS = {
    "UTF-8": lambda text: text.encode(),
    "UTF-8 with a mark": lambda text: codecs.BOM_UTF8 + text.encode(),
    "UTF-16 LE with a mark": lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
    "UTF-16 BE with a mark": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    "UTF-16 LE": lambda text: text.encode("utf-16-le"),
    "UTF-16 BE": lambda text: text.encode("utf-16-be"),
    "Windows-1252": lambda text: text.encode("cp1252"),
}


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_separator_and_encoding_holds_the_same_messages(separator: str, encoding: str) -> None:
    for end in ("\n", "\r\n"):
        content = ENCODINGS[encoding](written(separator, end=end))
        for name in ("a.csv", "a.tsv", "A.CSV"):
            assert contents(name, content) == ROWS
        assert contents("a.csv.gz", gzip.compress(content)) == ROWS


TEXTS = st.text(st.characters(codec="cp1252", exclude_categories=["Cc"]), min_size=1, max_size=20).filter(str.strip)


@examples(20)
@given(st.lists(TEXTS, min_size=1, max_size=5), st.sampled_from(",;\t|"), st.sampled_from(sorted(ENCODINGS)))
def test_no_text_of_a_message_changes_what_is_recognised(said: list[str], separator: str, encoding: str) -> None:
    rows = [["c", "user", text, AT] for text in said]
    content = ENCODINGS[encoding](written(separator, rows))
    if encoding == "Windows-1252" and _is_utf8(content):
        return  # bytes that are UTF-8 too are that
    assert [row[2] for row in contents("a.csv", content)] == said


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return any(_is_multibyte(content[n : n + 2]) for n in range(len(content)))
    return True


def _is_multibyte(pair: bytes) -> bool:
    try:
        return len(pair.decode()) == 1
    except UnicodeDecodeError:
        return False


def test_windows_1252_is_said_with_its_count(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.write("a.csv", written(";").encode("cp1252"))
    (warning,) = home.land().warnings
    assert warning.endswith("a.csv: not UTF-8: read as Windows-1252 (5 characters beyond ASCII)")


def test_excels_line_that_names_the_separator_is_no_row() -> None:
    assert contents("a.csv", b"sep=;\r\n" + written(";", end="\r\n").encode()) == ROWS


def test_utf16_that_is_cut_off_is_an_error() -> None:
    with pytest.raises(SourceError, match="UTF-16-LE: damaged or cut off"):
        contents("a.csv", codecs.BOM_UTF16_LE + written(",").encode("utf-16-le") + b"\x00\xd8")


def error(content: str, name: str = "a.csv") -> str:
    with pytest.raises(SourceError) as found:
        read(File(name, content.encode()), None)
    return str(found.value)


def test_other_columns_are_named_with_the_flag_that_helps() -> None:
    said = error(written(";", [["t", "bob", "a secret", AT]], ["ticket", "Sender", "text", "created_at"]))
    assert "missing columns: role, content, conversation_id (or user_id)" in said
    assert "4 columns found: ticket, Sender, text, created_at" in said
    assert "--map role=Sender,content=text,conversation_id=ticket,timestamp=created_at" in said
    assert "secret" not in said


def test_the_flag_that_is_offered_works() -> None:
    text = written(";", [["t", "user", "hi", AT]], ["ticket", "Sender", "text", "created_at"])
    flag = error(text).partition("--map ")[2].rstrip(")")
    names = dict(pair.split("=") for pair in flag.split(","))
    assert len(as_records(read(File("a.csv", text.encode(), names), None))) == 1


OWN = {"role": "Wer", "content": "Nachricht", "conversation_id": "Faden"}


@pytest.mark.parametrize("named", [pair for n in range(3) for pair in itertools.combinations(OWN, n)])
@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_the_flag_that_is_offered_keeps_what_is_named_and_adds_what_is_missing_only(
    name: str, named: tuple[str, ...]
) -> None:
    known = {word: OWN[word] for word in named}
    table = pa.table({column: ["x"] for column in [*OWN.values(), "gesendet"]})
    sink = io.BytesIO()
    if name == "a.parquet":
        pq.write_table(table, sink)
    else:
        sink.write(written(";", [["x"] * 4], table.column_names).encode())
    with pytest.raises(SourceError) as found:
        read(File(name, sink.getvalue(), known), None)
    flag = str(found.value).partition("--map ")[2].partition(")")[0]
    assert dict(pair.split("=") for pair in flag.split(",")) == {word: known.get(word, "...") for word in OWN}


@pytest.mark.parametrize("first", [["c1", "user", "my card was stolen", AT], ["1", "user", "help", "x"],
                                   ["who is there on the line today and why", "a", "b", "c"]])  # fmt: skip
def test_a_table_without_a_header_says_so_and_shows_no_cell(first: list[str]) -> None:
    said = error(written(",", ROWS, first))
    assert "no header: the first line must name them" in said
    assert not any(cell in said for cell in first if len(cell) > 4)


def test_a_json_file_with_other_words_names_its_keys_and_the_flag() -> None:
    said = error('{"c1": {"messages": [{"speaker": "user", "text": "a secret", "sent_at": "2026-03-04"}]}}', "a.json")
    assert "role: missing" in said and "speaker" in said and "--map role=speaker" in said and "secret" not in said


SHEET = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{rows}</sheetData></worksheet>'
PARTS = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="xml" ContentType="application/xml"/><Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>',
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship '
    'Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
    'Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Notes" '
    'sheetId="1" r:id="r1"/><sheet name="Chats" sheetId="2" r:id="r2"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    + "".join(
        f'<Relationship Id="r{n}" Target="worksheets/sheet{n}.xml" '
        'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"/>'
        for n in (1, 2)
    )
    + "</Relationships>",
    "xl/styles.xml": '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><cellXfs count="2">'
    '<xf numFmtId="0"/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>',
}


def workbook(rows: list[list[str | float]]) -> bytes:
    """A workbook as Excel writes it: a sheet of notes, then the table; numbers in the last column are times."""

    def cell(column: int, row: int, value: str | float) -> str:
        place = f"{'ABCDEFG'[column]}{row}"
        if isinstance(value, str):
            return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'
        style = ' s="1"' if column == 3 else ""
        return f'<c r="{place}"{style}><v>{value}</v></c>'

    lines = (
        f'<row r="{n}">{"".join(cell(c, n, value) for c, value in enumerate(row))}</row>'
        for n, row in enumerate(rows, 1)
    )
    rels = PARTS["xl/_rels/workbook.xml.rels"].replace(
        "</Relationships>",
        '<Relationship Id="r3" Target="styles.xml" '
        'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles"/></Relationships>',
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        for name, text in (PARTS | {"xl/_rels/workbook.xml.rels": rels}).items():
            packed.writestr(name, text)
        packed.writestr("xl/worksheets/sheet1.xml", SHEET.format(rows='<row r="1">' + cell(0, 1, "a note") + "</row>"))
        packed.writestr("xl/worksheets/sheet2.xml", SHEET.format(rows="".join(lines)))
    return file.getvalue()


def test_a_workbook_is_the_table_of_its_first_sheet_that_has_one() -> None:
    pytest.importorskip("python_calamine")
    days = 46085 + 9 / 24  # 4 March 2026, 9 o'clock, as Excel counts
    book = workbook([HEADER, [7.0, "user", "Hi; there", days], [7.0, "assistant", "Hello", days]])
    assert contents("a.xlsx", book) == [["7", "user", "Hi; there", AT], ["7", "assistant", "Hello", AT]]


def test_a_workbook_that_is_none_is_an_error() -> None:
    pytest.importorskip("python_calamine")
    with pytest.raises(SourceError, match="not a workbook"):
        contents("a.xlsx", b"PK\x03\x04 and no more")


def test_a_usual_file_has_no_notes() -> None:
    found = opened(File("a.csv", written(",").encode()), None)
    assert isinstance(found, Opened) and found.notes == ()
