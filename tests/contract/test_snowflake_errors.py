"""Each error of Snowflake is one to refuse, to quarantine or to retry. The texts are those of public error reports."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from snowflake.connector import errors
from tests.contract import on_snowflake
from tests.contract.watching import T0, Watched, names, part, refuse

from millrace.bus.events import ObjectFinalized
from millrace.errors import BadObject, ConfigError, MillraceError, TerminalError, TransientError
from millrace.lake.local import LocalLake
from millrace.load import handler
from millrace.warehouse.snowflake.reader import SnowflakeReader
from millrace.wiring import RequestedBuilds


@dataclass(frozen=True, slots=True)
class Answer:
    """An error as the service gives it; `of` is its class in the connector."""

    errno: int
    sqlstate: str
    text: str
    of: type[errors.Error] = errors.ProgrammingError

    def error(self) -> errors.Error:
        return self.of(msg=self.text, errno=self.errno, sqlstate=self.sqlstate)


NOT_GRANTED = Answer(3001, "42501", "SQL access control error:\nInsufficient privileges to operate on table 'REPOS'.")
NO_NUMBER = Answer(100038, "22018", "Numeric value 'ann@acme.dev' is not recognized")
A_PERSONS = [
    pytest.param(Answer(606, "57P03", "No active warehouse selected in the current session."), id="no warehouse"),
    pytest.param(
        Answer(
            90073, "22000", "Warehouse 'WH' cannot be resumed because resource monitor 'RM' has exceeded its quota."
        ),
        id="no credits, which has the SQLSTATE of bad data",
    ),
    pytest.param(
        Answer(90105, "22000", "Cannot perform SELECT. This session does not have a current database."),
        id="no database, which has the SQLSTATE of bad data",
    ),
    pytest.param(Answer(2003, "02000", "Table 'LOADS' does not exist or not authorized."), id="no such table"),
    pytest.param(
        Answer(2043, "02000", "SQL compilation error:\nObject does not exist, or operation cannot be performed."),
        id="no such object",
    ),
    pytest.param(NOT_GRANTED, id="not granted"),
    pytest.param(
        Answer(1003, "42000", "SQL compilation error:\nsyntax error line 1 at position 8 unexpected '<EOF>'."),
        id="not compiled",
    ),
    pytest.param(Answer(904, "42000", "SQL compilation error: error line 1\ninvalid identifier 'X'"), id="no column"),
    pytest.param(
        Answer(2120, "0A000", "SQL compilation error: Transient object cannot be cloned to a permanent object."),
        id="not supported",
    ),
]
OF_THE_DATA = [
    pytest.param(NO_NUMBER, id="no number"),
    pytest.param(
        Answer(100078, "22000", "String 'ann@acme.dev' is too long and would be truncated"), id="too long a text"
    ),
    pytest.param(
        Answer(100082, "22000", "Max LOB size (16777216) exceeded, actual size of parsed column is 20000000"), id="LOB"
    ),
    pytest.param(
        Answer(100072, "22000", "NULL result in a non-nullable column", errors.IntegrityError), id="unexpected null"
    ),
    pytest.param(Answer(100069, "22P02", "Error parsing JSON: 'ann@acme.dev'"), id="no JSON"),
]
RETRIED = [
    pytest.param(
        Answer(625, "57014", "Statement aborted because the number of waiters for this lock exceeds the 20 statements"),
        id="too many wait",
    ),
    pytest.param(
        Answer(630, "57014", "Statement reached its statement or warehouse timeout of 300 second(s) and was canceled."),
        id="took too long",
    ),
    pytest.param(Answer(604, "57014", "SQL execution canceled"), id="was cancelled"),
    pytest.param(
        Answer(603, "XX000", "SQL execution internal error:\nProcessing aborted by error 300010:208; incident 1."),
        id="failed inside",
    ),
    pytest.param(
        Answer(390114, "08001", "Authentication token has expired. The user must authenticate again."),
        id="its session expired",
    ),
    pytest.param(
        Answer(250003, "08001", "Failed to execute request: Read timed out.", errors.OperationalError), id="unreachable"
    ),
    pytest.param(Answer(-1, "n/a", "something that has no number", errors.DatabaseError), id="anything else"),
]


@pytest.fixture(scope="module")
def opened(snowflake_at: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("errors")
    made = on_snowflake.open_warehouse(snowflake_at, folder / "lake", lambda: T0)
    with Watched(made._address, "lake", lambda: T0) as warehouse:
        warehouse.ensure_tables()
        yield warehouse
    made.close()


@pytest.mark.parametrize("answer", A_PERSONS)
def test_error_of_the_deployment_is_refused_with_a_next_step(
    opened: Watched, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "SELECT", answer.error)
    with pytest.raises(ConfigError, match=r"docs/snowflake\.md") as refused:
        opened.newest_load_seq()
    assert " ".join(answer.text.splitlines()) in str(refused.value)
    reader = SnowflakeReader(opened._address)
    with pytest.raises(ConfigError, match=r"docs/snowflake\.md"):
        reader.version()
    reader.close()


@pytest.mark.parametrize("answer", RETRIED)
def test_passing_error_is_retried(opened: Watched, answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "SELECT", answer.error)
    with pytest.raises(TransientError, match="Snowflake"):
        opened.newest_load_seq()
    reader = SnowflakeReader(opened._address)
    with pytest.raises(TransientError, match="Snowflake"):
        reader.version()
    reader.close()


@pytest.mark.parametrize("answer", OF_THE_DATA)
def test_bad_value_outside_of_a_load_is_an_error_that_stays(
    opened: Watched, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "SELECT", answer.error)
    with pytest.raises(TerminalError) as refused:
        opened.newest_load_seq()
    assert not isinstance(refused.value, BadObject)
    assert "ann@acme.dev" not in str(refused.value)


@pytest.mark.parametrize("word", ["COPY", "MERGE"])
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        *(pytest.param(*case.values, BadObject, id=case.id) for case in OF_THE_DATA),
        *(pytest.param(*case.values, ConfigError, id=case.id) for case in A_PERSONS[:3]),
        pytest.param(*RETRIED[1].values, TransientError, id=RETRIED[1].id),
    ],
)
def test_error_of_a_load_quarantines_only_bad_values(
    opened: Watched,
    word: str,
    answer: Answer,
    kind: type[MillraceError],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on_snowflake.empty(opened)
    batch = part(LocalLake(tmp_path / "lake", "another"), tmp_path, "o/a")
    refuse(monkeypatch, word, answer.error)
    with pytest.raises(kind) as refused:
        opened.load(batch)
    monkeypatch.undo()
    assert "ann@acme.dev" not in str(refused.value)
    assert getattr(refused.value, "reason", "unreadable") == "unreadable"
    assert (opened.find(batch.version), names(opened)) == (None, [])


def test_file_with_a_bad_value_is_quarantined_and_one_without_rights_is_not(
    opened: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deployment's fault is answered by a 500 (see bus/answers.py): delivered again, and logged as an error."""
    on_snowflake.empty(opened)
    lake, kept = LocalLake(tmp_path / "drops", "drops"), LocalLake(tmp_path / "kept", "kept")
    loader = handler.Loader(lake, kept, opened, RequestedBuilds(), lambda: T0)
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"full_name": ["o/a"]}), path)
    stored = lake.write("drop/repos/a.parquet", path, 0)
    event = ObjectFinalized(stored.version, stored.crc32c)
    refuse(monkeypatch, "COPY", NOT_GRANTED.error)
    with pytest.raises(ConfigError, match="Insufficient privileges to operate on table"):
        handler.answer(loader, event)
    monkeypatch.undo()
    assert (opened.find(stored.version), list(kept.list(""))) == (None, [])
    refuse(monkeypatch, "COPY", NO_NUMBER.error)
    handler.answer(loader, event)
    monkeypatch.undo()
    entry = opened.find(stored.version)
    assert entry is not None
    assert (entry.quarantine_reason, entry.rows_quarantined, names(opened)) == ("unreadable", 1, [])
    assert len(list(kept.list(""))) == 2
