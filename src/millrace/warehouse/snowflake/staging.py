"""The way of a file into a raw table of Snowflake: it is copied, deduplicated and merged."""

import secrets
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from millrace.errors import MillraceError, TransientError
from millrace.tables import TABLES, Table
from millrace.warehouse import Batch, SmallObject, merge_rule, require_done, source_windows
from millrace.warehouse.canonical import Content
from millrace.warehouse.merge_rule import MergeRule
from millrace.warehouse.snowflake import ledger, merge as snowflake_merge
from millrace.warehouse.snowflake.errors import LockHeld
from millrace.warehouse.snowflake.merge import SNOWFLAKE, Merge

Execute = Callable[..., list[tuple[Any, ...]]]
RowActions = dict[int, Counter[str]]  # by object, the number of rows per row action


class RawTables:
    """The raw tables and their columns, as this process last saw them.

    Reading them takes Snowflake longer than most statements of a load, so it is done once: they are read again when a
    file has a column that was not there, and after a load that failed. Nothing but a load adds a column.
    """

    def __init__(self, execute: Execute, most_columns: int) -> None:
        self._execute = execute
        self._most_columns = most_columns
        self._seen: dict[str, dict[str, str]] | None = None

    def ensure(self) -> dict[str, dict[str, str]]:
        """Create every missing raw table and column of the registry, and the view over one; return kinds by table.

        A view has the definition of the version that started last. To replace one is atomic, and future grants of its
        schema apply to it: https://docs.snowflake.com/en/sql-reference/sql/create-view
        """
        seen = self._read()
        missing = [
            statement
            for name, table in TABLES.items()
            for statement in (SNOWFLAKE.complete(table, seen[name]) if name in seen else [SNOWFLAKE.create(table)])
        ]
        for statement in missing:
            self._execute(statement)
        with suppress(LockHeld):  # by another loader, which replaces it now
            self._execute(source_windows.CREATE)
        self._seen = self._read() if missing else seen
        return self._seen

    def prepare(self, table: Table, content: Content, session: str, is_bundle: bool = False) -> Merge:
        """Add the file's new columns to the raw table. Each statement commits by itself."""
        of_file = dict(content.columns)
        if is_bundle:
            of_file.pop(snowflake_merge.OBJECT)
        rule = self._rule(table, of_file, self._seen or self.ensure())
        if rule.add_columns:  # another process may have added them
            rule = self._rule(table, of_file, self.ensure())
            for statement in rule.add_columns:
                self._execute(statement)
            self._seen = None
        return Merge(replace(rule, months=content.months), session, is_bundle)

    @contextmanager
    def forgotten_after_error(self) -> Iterator[None]:
        """Read the tables again before the next load if this one fails: the tables may be the cause."""
        try:
            yield
        except MillraceError:
            self._seen = None
            raise

    def _rule(self, table: Table, of_file: dict[str, str], seen: dict[str, dict[str, str]]) -> MergeRule:
        return merge_rule.match(SNOWFLAKE, table, of_file, seen.get(table.name, {}), self._most_columns)

    def _read(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for name, *column in self._execute(snowflake_merge.RAW_COLUMNS):
            table = TABLES.get(str(name).lower())
            if table is not None:
                found.setdefault(table.name, {})[column[0]] = snowflake_merge.kind_of_stored(table, *column)
        return found


def create(execute: Execute, merge: Merge) -> None:
    """Create the temporary tables, empty. They end with the session, or are replaced by its next load."""
    execute(snowflake_merge.create_staged(merge))
    execute(snowflake_merge.create_deduplicated(merge))


def is_of_the_lake(batch: Batch, content: Content, lake: str | None) -> bool:
    """Return whether Snowflake can fetch the file itself: a part as it was extracted, which is never replaced."""
    is_part = batch.run_id is not None and batch.version.name.startswith("raw/")
    return is_part and content.is_canonical and batch.version.bucket == lake


def copy(execute: Execute, merge: Merge, batch: Batch, content: Content) -> None:
    """Copy a part of the lake into STAGED."""
    copied = execute(snowflake_merge.copy_from_lake(merge, batch.version.name.removeprefix("raw/")))
    _require_all(copied, content.rows)


def upload(execute: Execute, merge: Merge, path: Path, folder: Path) -> None:
    """Copy a file of this machine into STAGED, under a random name; `folder` is for a link of that name."""
    named, away = folder / f"{secrets.token_hex(4)}.parquet", secrets.token_hex(12)
    named.symlink_to(path)
    execute(snowflake_merge.upload(str(named), away))
    copied = execute(snowflake_merge.copy_uploaded(merge, away, named.name))
    _require_all(copied, pq.read_metadata(path).num_rows)


def deduplicate(execute: Execute, merge: Merge, extracted_at: datetime, run_id: str | None) -> None:
    """Fill DEDUPLICATED with the greatest version of each key."""
    execute(snowflake_merge.deduplicate(merge), extracted_at, run_id)


def apply(execute: Execute, merge: Merge, latest: datetime | None) -> tuple[int, RowActions]:
    """Merge DEDUPLICATED into the raw table, under the write lock; `latest` is that of the batch.

    Return the load sequence, and the row actions by object.
    """
    row_actions: RowActions = defaultdict(Counter)
    execute(snowflake_merge.classify(merge), latest)
    for number, action, count in execute(snowflake_merge.count_row_actions(merge)):
        row_actions[int(number)][action] += int(count)
    load_seq = ledger.next_load_seq(execute)
    ((inserted, updated),) = execute(snowflake_merge.apply(merge), load_seq, load_seq)
    total = sum(row_actions.values(), Counter())
    require_done(merge.rule.table, "inserted", total["inserted"], int(inserted))
    require_done(merge.rule.table, "updated", total["updated"] + total["confirmed"], int(updated))
    if latest is not None:
        execute(SNOWFLAKE.lower_future_stamps(merge.rule.table), *[latest] * 4)
    return load_seq, row_actions


def newest_of_objects(execute: Execute, merge: Merge) -> dict[int, datetime]:
    """Return when the newest row of each object of a bundle was extracted; objects without rows are left out."""
    found = execute(snowflake_merge.newest_of_objects(merge))
    return {int(number): at.replace(tzinfo=UTC) for number, at in found if at is not None}


def together(objects: Sequence[SmallObject], path: Path) -> None:
    """Write small objects as one file, each row with the number of its object."""
    numbered = [
        each.rows.append_column(snowflake_merge.OBJECT, pa.array([number] * len(each.rows), pa.int64()))
        for number, each in enumerate(objects)
    ]
    pq.write_table(pa.concat_tables(numbered), path)


def _require_all(copied: list[tuple[Any, ...]], rows: int) -> None:
    """Raise TransientError for a copy that is not the whole file, so that no row is lost silently."""
    loaded = sum(int(row[3]) for row in copied if len(row) > 3)
    if loaded != rows:
        raise TransientError(f"Snowflake copied {loaded} of {rows} rows: {copied}")
