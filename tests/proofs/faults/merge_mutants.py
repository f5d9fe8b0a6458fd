"""The merge rule without one of its parts, on either engine: a few files show that the part is needed.

The rule is written once (`millrace.warehouse.merge_rule`), so each mutant is one change and runs over both engines. A
mutant is noticed when the raw table or the ledger differs from `stateful.merging.Model`; an exception does not count.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tests.contract import on_snowflake
from tests.proofs.faults.engines import served
from tests.proofs.faults.world import folder, replaced
from tests.proofs.stateful.merging import TABLE, Model, Row, Version, listed, row_actions_of

from millrace.lake import ObjectVersion
from millrace.tables import EXTRACTED_AT, RUN_ID
from millrace.warehouse import Batch, Warehouse
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.warehouse.merge_rule import MergeRule
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

ENGINES = ("DuckDB", "Snowflake")
T0 = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
Mutant = Callable[[], AbstractContextManager[None]]
_SAME, _EQUAL = "IS NOT DISTINCT FROM", "="


@dataclass(frozen=True)
class File:
    """One file to load; `latest` is that of its batch."""

    rows: tuple[Row, ...]
    latest: datetime | None = None


def _changed(name: str, change: Callable[[str], str]) -> AbstractContextManager[None]:
    """Change the SQL of a property of the rule."""
    original = vars(MergeRule)[name].fget

    def mutated(rule: MergeRule) -> str:
        sql: str = original(rule)
        assert change(sql) != sql, f"{name} has nothing to change: {sql}"
        return change(sql)

    return replaced(MergeRule, name, property(mutated))


def _without(name: str, pattern: str) -> AbstractContextManager[None]:
    return _changed(name, lambda sql: re.sub(pattern, "", sql, flags=re.IGNORECASE))


def an_older_row_wins() -> AbstractContextManager[None]:
    return _changed("row_action", lambda sql: sql.replace("'superseded'", "'updated'"))


def a_newer_row_loses() -> AbstractContextManager[None]:
    return _changed("row_action", lambda sql: sql.replace("'updated'", "'superseded'"))


def an_equal_row_does_not_advance_the_stamps() -> AbstractContextManager[None]:
    return _changed("row_action", lambda sql: sql.replace("'confirmed'", "'unchanged'"))


def a_stored_stamp_in_the_future_is_believed() -> AbstractContextManager[None]:
    return _changed("row_action", lambda sql: sql.replace("FALSE) OR", "FALSE) AND FALSE OR"))


def the_run_decides_nothing_between_equal_rows() -> AbstractContextManager[None]:
    pair = MergeRule._pair
    return replaced(MergeRule, "_pair", lambda rule, name: ("''", "''") if name == RUN_ID else pair(rule, name))


def the_version_column_decides_nothing() -> AbstractContextManager[None]:
    return replaced(MergeRule, "_by_version", property(lambda rule: ""))


def the_text_of_the_content_decides_nothing() -> AbstractContextManager[None]:
    return replaced(MergeRule, "_text", lambda rule, alias: "''")


def null_in_a_key_equals_nothing() -> AbstractContextManager[None]:
    return _changed("is_same_key", lambda sql: sql.replace(_SAME, _EQUAL))


def null_in_the_content_equals_nothing() -> AbstractContextManager[None]:
    return _changed("_is_same_content", lambda sql: sql.replace(_SAME, _EQUAL))


def a_column_is_left_out_of_the_comparison() -> AbstractContextManager[None]:
    return _without("_is_same_content", rf'(AND )?s\."message" {_SAME} t\."message"')


def the_least_version_of_a_file_is_kept() -> AbstractContextManager[None]:
    return _changed("is_greatest", lambda sql: sql.replace(" DESC", " ASC"))


def the_version_column_decides_nothing_within_a_file() -> AbstractContextManager[None]:
    return _without("is_greatest", r'"createdAt" DESC NULLS LAST, ')


def rows_without_a_stamp_stay_without() -> AbstractContextManager[None]:
    return _changed("values", lambda sql: sql.replace("COALESCE(", "NULLIF("))


def negative_zero_is_another_number() -> AbstractContextManager[None]:
    return _changed("values", lambda sql: sql.replace(" + 0.0", ""))


def an_updated_row_keeps_its_stamp() -> AbstractContextManager[None]:
    assignments = MergeRule.assignments

    def mutated(rule: MergeRule, row_action: str) -> str:
        return re.sub(r', ("_extracted_at") = s\.\1', "", assignments(rule, row_action), flags=re.IGNORECASE)

    return replaced(MergeRule, "assignments", mutated)


def _file(*rows: Row, latest: datetime | None = None) -> File:
    return File(tuple({"commitHash": "a", "repoName": "r", "userId": "u"} | row for row in rows), latest)


def _x(hour: int = 0, **more: object) -> Row:
    return {"message": "x", EXTRACTED_AT: T0 + hour * HOUR} | more


def _y(hour: int = 0, **more: object) -> Row:
    return _x(hour, message="y") | more


NOTICED_BY: dict[Mutant, tuple[File, ...]] = {
    an_older_row_wins: (_file(_x(1)), _file(_y(0))),
    a_newer_row_loses: (_file(_x(0)), _file(_y(1))),
    an_equal_row_does_not_advance_the_stamps: (_file(_x(0)), _file(_x(1))),
    a_stored_stamp_in_the_future_is_believed: (_file(_x(9)), _file(_y(0), latest=T0 + HOUR)),
    the_run_decides_nothing_between_equal_rows: (_file(_x(_run_id="r1")), _file(_x(_run_id="r2"))),
    the_version_column_decides_nothing: (_file(_x(createdAt=T0)), _file(_y(createdAt=None))),
    the_text_of_the_content_decides_nothing: (_file(_x()), _file(_y())),
    null_in_a_key_equals_nothing: (_file(_x(repoName=None)), _file(_y(1, repoName=None))),
    null_in_the_content_equals_nothing: (_file(_x(branchName=None)), _file(_x(1, branchName=None))),
    a_column_is_left_out_of_the_comparison: (_file(_x(0)), _file(_y(1))),
    the_least_version_of_a_file_is_kept: (_file(_x(0), _y(1)),),
    the_version_column_decides_nothing_within_a_file: (_file(_x(createdAt=T0), _y(createdAt=None)),),
    rows_without_a_stamp_stay_without: (_file({"message": "x"}, _y(1, commitHash="b")),),
    negative_zero_is_another_number: (_file(_x(a_ratio=0.0)), _file(_y(a_ratio=-0.0))),
    an_updated_row_keeps_its_stamp: (_file(_x(0)), _file(_y(1))),
}
"""Every mutant of the rule, and the files that show it."""


def difference(mutant: Mutant | None, files: tuple[File, ...], engine: str) -> str | None:
    """Load the files over a mutant, or over the rule itself; return how table and ledger differ from the model's."""
    model = Model()
    with folder() as place, _opened(engine, place) as warehouse:
        for number, file in enumerate(files):
            batch = _batch(place, number, file)
            if mutant is None:
                entry = warehouse.load(batch)
            else:
                with mutant():
                    entry = warehouse.load(batch)
            versions = [Version.of(row, T0, batch.run_id) for row in file.rows]
            expected = model.merge(versions, entry.load_seq, file.latest)
            if row_actions_of(entry) != expected:
                return f"ledger: expected {dict(+expected)}, got {dict(+row_actions_of(entry))}"
        rows = listed(_rows(warehouse))
    return None if rows == model.table() else f"table: expected {model.table()}, got {rows}"


def _batch(place: Path, number: int, file: File) -> Batch:
    path = place / f"{number}.parquet"
    names = sorted({name for row in file.rows for name in row})
    types = {name: TABLE.schema.field(name).type if name in TABLE.schema.names else None for name in names}
    columns = {name: pa.array([row.get(name) for row in file.rows], types[name]) for name in names}
    pq.write_table(pa.table(columns), path)
    return Batch(ObjectVersion("lake", path.name, 1), TABLE, path, T0, "r1", file.latest)


@contextmanager
def _opened(engine: str, place: Path) -> Iterator[Warehouse]:
    if engine == "DuckDB":
        with DuckDBWarehouse(place / "warehouse.duckdb", clock=lambda: T0) as warehouse:
            yield warehouse
    else:
        on_snowflake.empty(_one_on_snowflake())
        yield _one_on_snowflake()


@cache
def _one_on_snowflake() -> SnowflakeWarehouse:
    """Return one warehouse, which is emptied for each mutant: opening one is slow."""
    return on_snowflake.open_warehouse(served(), Path("elsewhere"), lambda: T0)


def _rows(warehouse: Warehouse) -> list[Row]:
    if isinstance(warehouse, SnowflakeWarehouse):
        found = on_snowflake.rows_of(warehouse, TABLE.name)
    else:
        assert isinstance(warehouse, DuckDBWarehouse)
        names = [name for (name,) in warehouse.query("SELECT column_name FROM (DESCRIBE raw.commits)")]
        rows = warehouse.query("SELECT * FROM raw.commits")
        found = [dict(zip(names, row, strict=True)) for row in rows]
    return [{name: _aware(value) for name, value in row.items()} for row in found]


def _aware(value: object) -> object:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
