"""A dropped file becomes Parquet with the table's own types, or is refused by line."""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from millrace.errors import BadObject
from millrace.load.dropped_files import Kind, to_parquet
from millrace.load.dropped_lines import DropCaps
from millrace.tables import TABLES

REVIEWS, PULLS = TABLES["reviews"], TABLES["pull_requests"]
CAPS = DropCaps()
Rows = list[dict[str, object]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def read(folder: Path, content: bytes | str, kind: Kind, table: str = "reviews", caps: DropCaps = CAPS) -> Rows:
    source = folder / f"dropped.{kind}"
    source.write_bytes(content.encode() if isinstance(content, str) else content)
    path = to_parquet(source, TABLES[table], kind, folder / "out.parquet", caps)
    result = pq.read_table(path, partitioning=None)
    assert result.schema.equals(TABLES[table].schema)
    rows: Rows = result.to_pylist()
    return rows


def ndjson(folder: Path, *lines: object, table: str = "reviews") -> Rows:
    return read(folder, "".join(json.dumps(line) + "\n" for line in lines), "ndjson", table)


def said(row: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in row.items() if value is not None}


def test_a_parquet_file_passes_unchanged(folder: Path) -> None:
    source = folder / "any.parquet"
    pq.write_table(pa.table({"id": [1]}), source)
    assert to_parquet(source, REVIEWS, "parquet", folder / "out", CAPS) == source
    assert not (folder / "out").exists()


def test_ndjson_fields_go_to_the_columns_of_their_name_in_any_case(folder: Path) -> None:
    (row,) = ndjson(folder, {"ID": 1, "Pr_Id": 2, "submitted_at": "2026-10-21T07:56:38.514700761-04:00"})
    when = datetime(2026, 10, 21, 11, 56, 38, 514700, tzinfo=UTC)
    assert said(row) == {"id": 1, "pr_id": 2, "submitted_at": when}


def test_ndjson_json_columns_keep_compact_text(folder: Path) -> None:
    (row,) = ndjson(folder, {"id": 1, "comments": [{"b": 1, "a": "ü"}]})
    assert row["comments"] == '[{"a":"ü","b":1}]'


def test_ndjson_unknown_fields_and_explicit_nulls_go_into_extra(folder: Path) -> None:
    (row,) = ndjson(folder, {"id": 1, "body": None, "stars": 5, "owner": {"x": [1]}})
    assert said(row) == {"id": 1, "_extra": '{"body":null,"owner":{"x":[1]},"stars":5}'}


def test_the_files_own_stamps_and_extra_are_kept(folder: Path) -> None:
    stamps = {"_extracted_at": "2026-01-01T00:00:00Z", "_run_id": "r9", "_extra": {"stars": 5, "body": None}}
    as_text = {**stamps, "_extra": '{"stars":5,"body":null}'}
    rows = ndjson(folder, {"id": 1, **stamps, "more": 1}, {"id": 1, **as_text, "more": 1})
    expected = {"id": 1, "_extracted_at": datetime(2026, 1, 1, tzinfo=UTC), "_run_id": "r9"}
    assert [said(row) for row in rows] == [{**expected, "_extra": '{"body":null,"more":1,"stars":5}'}] * 2


def test_a_stamp_inside_of_extra_is_only_noted(folder: Path) -> None:
    (row,) = ndjson(folder, {"id": 1, "_extra": {"_run_id": "forged"}})
    assert said(row) == {"id": 1, "_extra": '{"_run_id":"forged"}'}


def test_ndjson_accepts_bom_empty_lines_and_missing_last_newline(folder: Path) -> None:
    rows = read(folder, b'\xef\xbb\xbf{"id":1}\r\n\n  \n{"id":2}', "ndjson")
    assert [row["id"] for row in rows] == [1, 2]


def test_long_file_is_read_in_order(folder: Path) -> None:
    content = "".join(f'{{"id":{number}}}\n' for number in range(25_000))
    assert [row["id"] for row in read(folder, content, "ndjson")] == list(range(25_000))


GOOD = b'{"id":1}\n'


@pytest.mark.parametrize(
    ("line", "reason", "message"),
    [
        pytest.param(
            b'{"id":"5"}',
            "schema",
            "line 2, column id: expected an integer of at most 64 bits, got a string",
            id="a text",
        ),
        pytest.param(
            b'{"id":true}',
            "schema",
            "column id: expected an integer of at most 64 bits, got true or false",
            id="a flag",
        ),
        pytest.param(
            b'{"id":5.0}', "schema", "column id: expected an integer of at most 64 bits, got 5.0", id="a fraction"
        ),
        pytest.param(b'{"id":9223372036854775808}', "schema", "at most 64 bits", id="65 bits"),
        pytest.param(b'{"submitted_at":"soon"}', "schema", "expected a timestamp", id="no time"),
        pytest.param(b'{"_extracted_at":5}', "schema", "column _extracted_at: expected a timestamp", id="no stamp"),
        pytest.param(b'{"_extra":"[1]"}', "schema", "expected a JSON object", id="extra is no object"),
        pytest.param(b'{"body":"a","_extra":{"body":"b"}}', "schema", "'body' has one value", id="two values"),
        pytest.param(b'{"x":1e999}', "schema", "column _extra: expected a JSON value", id="beyond a double"),
        pytest.param(b'{"x":NaN}', "unreadable", "NaN is no JSON number", id="NaN"),
        pytest.param(b'{"x":-Infinity}', "unreadable", "-Infinity is no JSON number", id="Infinity"),
        pytest.param(b'{"id":1', "unreadable", "not JSON: ", id="half a line"),
        pytest.param(b'{"id":1} {"id":2}', "unreadable", "not JSON: Extra data", id="two objects"),
        pytest.param(b'{"id":1,"id":2}', "unreadable", "field 'id' comes twice", id="a field twice"),
        pytest.param(b'{"x":[{"a":1,"a":2}]}', "unreadable", "field 'a' comes twice", id="an inner field twice"),
        pytest.param(b'{"id":1,"ID":2}', "column_name", "field id comes twice", id="twice in another case"),
        pytest.param(b'{"_load_seq":2}', "column_name", "_load_seq", id="a column of ours"),
        pytest.param(b"[1]", "unreadable", "expected a JSON object, got list", id="a list"),
        pytest.param(b'{"body":"\xff"}', "unreadable", "byte 10 is not UTF-8", id="not UTF-8"),
        pytest.param(b'{"x":' + b"9" * 5000 + b"}", "unreadable", "not acceptable JSON", id="5000 digits"),
        pytest.param(b'{"x":' + b"[" * 32 + b"]" * 32 + b"}", "too_large", "deeper than 32", id="33 levels"),
        pytest.param(b'{"x":' + b"[" * 9000 + b"]" * 9000 + b"}", "too_large", "deeper than 32", id="9000 levels"),
        pytest.param(b'{"body":"' + b"x" * 20_000 + b'"}', "too_large", "longer than 20,000 bytes", id="long"),
        pytest.param(
            json.dumps(dict.fromkeys(range(301), 1)).encode(),
            "too_large",
            "expected at most 300 fields, got 301",
            id="wide",
        ),
    ],
)
def test_a_wrong_line_is_named_and_leaves_no_file(folder: Path, line: bytes, reason: str, message: str) -> None:
    with pytest.raises(BadObject) as refused:
        read(folder, GOOD + line, "ndjson", caps=DropCaps(line_bytes=20_000))
    assert refused.value.reason == reason
    assert str(refused.value).startswith("line 2")
    assert message in str(refused.value)
    assert not (folder / "out.parquet").exists()


MANY = b"[" + b"[]," * 500_000 + b"1]"


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        pytest.param(
            b'{"x":' + MANY + b"}",
            "ndjson",
            "line 1: expected JSON of at most 1,000,000 values, got up to 1,000,002",
            id="a line",
        ),
        pytest.param(
            b'{"_extra":"{\\"x\\":' + MANY + b'}"}',
            "ndjson",
            "line 1: column _extra: expected JSON of at most",
            id="its extra",
        ),
        pytest.param(
            b'labels\n"' + MANY + b'"\n', "csv", "line 2: column labels: expected JSON of at most", id="a cell"
        ),
    ],
)
def test_json_of_too_many_values_is_refused_before_it_is_read(
    folder: Path, content: bytes, kind: Kind, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = json.loads
    monkeypatch.setattr(json, "loads", lambda text, **how: real(text, **how) if len(text) < 2_000_000 else None)
    with pytest.raises(BadObject, match=f"^{message}") as refused:
        read(folder, content, kind, "pull_requests")
    assert refused.value.reason == "too_large"


def test_brackets_and_commas_in_a_text_are_no_values(folder: Path) -> None:
    text = '{[,"\\' * 400_000
    (row,) = ndjson(folder, {"id": 1, "body": text})
    assert row["body"] == text


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        pytest.param("ndjson", b'{"x":[' + b"[]," * 100_000 + b"1]}\n", id="empty lists"),
        pytest.param("csv", b",".join([b""] * 299) + b",1\n", id="empty cells"),
    ],
)
def test_rows_that_take_much_memory_are_not_held_together(folder: Path, kind: Kind, content: bytes) -> None:
    header = ",".join(["id", *(f"c{number}" for number in range(299))]) + "\n"
    times = 2_000 if kind == "csv" else 6
    source = folder / f"a.{kind}"
    source.write_bytes(header.encode() * (kind == "csv") + content * times)
    with pq.ParquetFile(to_parquet(source, REVIEWS, kind, folder / "out.parquet", CAPS)) as file:
        assert file.metadata.num_row_groups > 2
        assert file.metadata.num_rows == times


def test_32_levels_are_accepted_and_brackets_in_text_not_counted(folder: Path) -> None:
    line = b'{"x":' + b"[" * 31 + b"]" * 31 + b',"body":"' + b"[{" * 50 + b'"}'
    assert len(read(folder, line, "ndjson")) == 1


def test_file_over_size_or_row_limits_is_refused(folder: Path) -> None:
    with pytest.raises(BadObject, match="the file is empty"):
        read(folder, b"", "ndjson")
    with pytest.raises(BadObject, match="expected at most 10 bytes, got 18"):
        read(folder, GOOD * 2, "ndjson", caps=DropCaps(file_bytes=10))
    with pytest.raises(BadObject, match="line 3: more than 2 rows"):
        read(folder, GOOD * 3, "ndjson", caps=DropCaps(rows=2))


def test_csv_cells_have_the_types_of_their_columns(folder: Path) -> None:
    header = "NUMBER,title,ai_ratio,was_reverted,labels,created_at,draft"
    cells = '-7,"a ""b"", c",0.5,True,"[""x"",""y""]",2026-10-21T07:56:38Z,yes'
    (row,) = read(folder, f"{header}\r\n{cells}\r\n", "csv", "pull_requests")
    assert said(row) == {
        "number": -7,
        "title": 'a "b", c',
        "ai_ratio": 0.5,
        "was_reverted": True,
        "labels": ["x", "y"],
        "created_at": datetime(2026, 10, 21, 7, 56, 38, tzinfo=UTC),
        "_extra": '{"draft":"yes"}',
    }


def test_csv_distinguishes_missing_value_from_empty_text(folder: Path) -> None:
    rows = read(folder, 'id,body,x\n,,\n"","",""\n', "csv")
    assert [said(row) for row in rows] == [{}, {"body": "", "_extra": '{"x":""}'}]


def test_a_formula_is_only_a_text(folder: Path) -> None:
    (row,) = read(folder, "body\n=cmd()|' /C calc'!A0\n", "csv")
    assert row["body"] == "=cmd()|' /C calc'!A0"


def test_a_quoted_cell_may_go_over_lines_and_later_lines_keep_their_number(folder: Path) -> None:
    with pytest.raises(BadObject, match=r"line 5, column id|line 5: column id"):
        read(folder, 'id,body\n1,"a\nb\n"\nx,c\n', "csv")
    (row,) = read(folder, 'id,body\n1,"a\r\nb"', "csv")
    assert row["body"] == "a\r\nb"


def test_csv_with_bom_and_only_a_header_has_no_rows(folder: Path) -> None:
    assert read(folder, b"\xef\xbb\xbfid,body\n", "csv") == []


@pytest.mark.parametrize(
    ("content", "reason", "message"),
    [
        pytest.param("id,body\n1\n", "unreadable", "line 2: expected 2 cells as in the header, got 1", id="too few"),
        pytest.param("id\n\n1,2\n", "unreadable", "line 3: expected 1 cells as in the header, got 2", id="too many"),
        pytest.param("id,ID\n1,2\n", "column_name", "line 1: column 'id' comes twice", id="a name twice"),
        pytest.param("id,\n1,2\n", "column_name", "line 1: column 2 of the header has no name", id="no name"),
        pytest.param("\n\n", "unreadable", "line 1: the file has no header line", id="no header"),
        pytest.param(
            ",".join(map(str, range(301))), "too_large", "expected at most 300 columns, got 301", id="301 columns"
        ),
        pytest.param("_load_seq\n1\n", "column_name", "line 2: field _load_seq", id="a column of ours"),
        pytest.param("id\n1_000\n", "schema", "line 2: column id: expected an integer", id="1_000"),
        pytest.param("id\n 1\n", "schema", "column id: expected an integer", id="a space"),
        pytest.param("id\n\u0661\n", "schema", "column id: expected an integer", id="another script's 1"),
        pytest.param("id\n99999999999999999999\n", "schema", "line 2, column id", id="beyond 64 bits"),
        pytest.param("ai_ratio\nnan\n", "schema", "column ai_ratio: expected a number", id="nan"),
        pytest.param("was_reverted\n1\n", "schema", "column was_reverted: expected true or false", id="1 is no flag"),
        pytest.param("labels\nbug\n", "schema", "column labels: expected a JSON list of strings", id="no list"),
        pytest.param('labels\n"{""a"":1}"\n', "schema", "column labels: expected", id="an object"),
        pytest.param("created_at\n21.10.2026\n", "schema", "line 2, column created_at", id="no timestamp"),
        pytest.param('body\n"a"b\n', "unreadable", "line 2: cell 1 is not as of RFC 4180", id="after a quote"),
        pytest.param('id,body\n1,a"b"\n', "unreadable", "line 2: cell 2 is not", id="a quote inside"),
        pytest.param('body\n"a\nb', "unreadable", "line 2: a quote is opened", id="an open quote"),
        pytest.param("body\na\rb\n", "unreadable", "line 2: cell 1 is not", id="a lone line break"),
        pytest.param(b"body\n\xfc\n", "unreadable", "line 2: byte 1 is not UTF-8", id="Latin-1"),
        pytest.param('body\n"' + "a\n" * 60 + '"\n', "too_large", "line 2: a record of more", id="a long record"),
    ],
)
def test_a_wrong_csv_is_refused_by_line(folder: Path, content: bytes | str, reason: str, message: str) -> None:
    with pytest.raises(BadObject) as refused:
        read(folder, content, "csv", "pull_requests", DropCaps(line_bytes=100 if reason == "too_large" else 999))
    assert message in str(refused.value) or "longer than 100 bytes" in str(refused.value)
    assert refused.value.reason == reason


CELLS = st.lists(st.none() | st.text(st.sampled_from('ab",\n\r =é'), max_size=6), min_size=2, max_size=2)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CELLS, max_size=4))
def test_csv_writer_output_is_read_back(folder: Path, records: list[list[str | None]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(["body", "state"])
    for record in records:
        writer.writerow([cell or "" for cell in record])
    rows = read(folder, text.getvalue(), "csv")
    assert [[row["body"], row["state"]] for row in rows] == [[cell or "" for cell in record] for record in records]


JSON_VALUE = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=4)
FIELDS = st.dictionaries(st.sampled_from(["comments", "stars", "x y"]), JSON_VALUE, max_size=3)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(FIELDS, min_size=1, max_size=4))
def test_every_field_of_line_is_recoverable_from_row(folder: Path, lines: Rows) -> None:
    rows = ndjson(folder, *lines)
    assert [told(row) for row in rows] == lines


def told(row: dict[str, object]) -> dict[str, object]:
    comments, extra = row["comments"], row["_extra"]
    known = {"comments": json.loads(comments)} if isinstance(comments, str) else {}
    return known | (json.loads(extra) if isinstance(extra, str) else {})
