# ruff: noqa: S608 - this module only writes SQL: values are parameters, names are quoted and checked before
"""The rule by which a file is merged into its raw table, as SQL in the words of either engine: pure functions.

Any order of arrival gives the same table: all versions of a row that ever arrive are totally ordered by
(`_extracted_at`, the table's `version_column`, the content, `_run_id`), NULL lowest; where the table `keeps_newest`,
by the `version_column` before all else. Whatever happens (insert,
update, advance the stamp of an equal row, supersede), the raw table holds the greatest version so far of each
key. A maximum depends neither on order nor on repetition, so one load or twenty, forwards or backwards, end in
the same rows. Only `_load_seq` depends on the order. Where the table has a `month_of`, its month counts as a part of
the key, and only the months of the file are searched for stored rows.

The content is compared column by column, null-safe. It is ordered as text: the columns that are not NULL, by name. So
a column that another file adds, before or after, changes nothing for the rows without it.

In the expressions `s` is a row of the file, `t` the stored row with the same key, `f` the file.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from millrace.errors import BadObject
from millrace.tables import COUNT, EXTRACTED_AT, FLAG, INSTANT, LOAD_SEQ, RATIO, RUN_ID, TEXT, TEXTS, Table

Months = tuple[date, date]
"""The first day of a month, and the first day after another."""
NEW_COLUMNS_LIMIT = 50  # that one file may add to its table, so that none uses up the columns of all
KINDS = {TEXT: "VARCHAR", COUNT: "BIGINT", RATIO: "DOUBLE", FLAG: "BOOLEAN", INSTANT: "TIMESTAMP", TEXTS: "VARCHAR[]"}
"""The kinds of the registry's types. A *kind* is DuckDB's name for a type, so that both engines refuse the same file
with the same message."""
NOTHING = '"NULL"'  # the kind of a column that has no values
NESTED = "VARIANT"  # on Snowflake the kind of a column of structs, maps or lists of them; it holds any value


@dataclass(frozen=True, slots=True)
class Dialect:
    """The words in which the SQL of the engines differs.

    `quoted` turns a name into an identifier, `parameter` into a placeholder; `type_of` turns a kind into a type.
    `read` takes a column of the file, its kind there and the stored kind, and returns the value without loss.
    `comparable` and `to_json` take a column and its kind; `concatenated` takes texts. `widened` are the stored kinds of
    narrower ones.
    """

    quoted: Callable[[str], str]
    parameter: Callable[[str], str]
    type_of: Callable[[str], str]
    read: Callable[[str, str, str], str]
    comparable: Callable[[str, str], str]
    to_json: Callable[[str, str], str]
    concatenated: Callable[[list[str]], str]
    widened: Mapping[str, str]

    def bound(self, name: str, kind: str) -> str:
        """Return a parameter as a value of a kind."""
        return f"CAST({self.parameter(name)} AS {self.type_of(kind)})"

    def raw(self, table: Table) -> str:
        """Return the qualified name of the raw table."""
        return f"raw.{self.quoted(table.name)}"

    def create(self, table: Table) -> str:
        """Return the statement that creates a missing raw table; a primary key would make it slower, or is ignored."""
        kinds = {field.name: KINDS[field.type] for field in table.schema} | {LOAD_SEQ: "BIGINT"}
        return f"CREATE TABLE IF NOT EXISTS {self.raw(table)} ({', '.join(self.columns(kinds))})"

    def complete(self, table: Table, stored: Iterable[str]) -> list[str]:
        """Return the statements that add the columns of the registry that a raw table of an earlier release lacks."""
        known = {name.lower() for name in stored}
        lacking = {field.name: KINDS[field.type] for field in table.schema if field.name.lower() not in known}
        return [f"ALTER TABLE {self.raw(table)} ADD COLUMN IF NOT EXISTS {column}" for column in self.columns(lacking)]

    def columns(self, kinds: Mapping[str, str]) -> list[str]:
        """Return the definitions of columns."""
        return [f"{self.quoted(name)} {self.type_of(kind)}" for name, kind in kinds.items()]

    def names(self, names: Iterable[str], alias: str = "") -> str:
        """Return a list of columns."""
        return ", ".join(f"{alias}{self.quoted(name)}" for name in names)

    def all_keys(self, table: Table) -> str:
        """Return the query for the key of every row."""
        return f"SELECT {self.names(table.key)} FROM {self.raw(table)}"

    def lower_future_stamps(self, table: Table) -> str:
        """Return the statement that corrects the ledger once no row is stamped after $latest (four times) any more."""
        latest, at = self.bound("latest", "TIMESTAMP"), self.quoted(EXTRACTED_AT)
        return (
            f"UPDATE meta.loads SET extracted_at = CASE WHEN loaded_at < {latest} THEN loaded_at ELSE {latest} END "
            f"WHERE table_name = '{table.name}' AND extracted_at > {latest} "
            f"AND 0 = (SELECT COUNT(*) FROM {self.raw(table)} WHERE {at} > {latest})"
        )


@dataclass(frozen=True, slots=True)
class MergeRule:
    """The rule for one file and its raw table.

    `columns` are the table's (name: kind) after `new_columns` were added, without `_load_seq`; `file_columns` are the
    file's, as far as they have values. `months` contain every row of the file; without them all rows are searched.
    """

    dialect: Dialect
    table: Table
    columns: dict[str, str]
    file_columns: dict[str, str]
    new_columns: dict[str, str]
    months: Months | None = None

    @property
    def names(self) -> str:
        """The columns, as SQL."""
        return self.dialect.names(self.columns)

    @property
    def content(self) -> list[str]:
        """The columns with a row's content, besides its key and stamps: by name, in any case."""
        stamps_and_key = {EXTRACTED_AT, RUN_ID, *(name.lower() for name in self.table.key)}
        return sorted((name for name in self.columns if name.lower() not in stamps_and_key), key=str.lower)

    @property
    def add_columns(self) -> list[str]:
        """The statements that add the new columns to the raw table."""
        add = f"ALTER TABLE {self.dialect.raw(self.table)} ADD COLUMN IF NOT EXISTS"
        return [f"{add} {column}" for column in self.dialect.columns(self.new_columns)]

    @property
    def values(self) -> str:
        """The columns as they are read from the file; parameters: $extracted_at, $run_id of rows without."""
        present = {name.lower(): (name, kind) for name, kind in self.file_columns.items()}
        parts = []
        for name, kind in self.columns.items():
            value = f"CAST(NULL AS {self.dialect.type_of(kind)})"
            if name.lower() in present:
                column, file_kind = present[name.lower()]
                value = self.dialect.read(self.dialect.quoted(column), file_kind, kind)
            if name.lower() in (EXTRACTED_AT, RUN_ID):
                value = f"COALESCE({value}, {self.dialect.bound(name.lower().removeprefix('_'), kind)})"
            if kind == "DOUBLE":
                value = f"{value} + 0.0"  # -0.0 equals 0.0, but has another text: keep one of them
            parts.append(f"{value} AS {self.dialect.quoted(name)}")
        return ", ".join(parts)

    @property
    def is_greatest(self) -> str:
        """The condition on a row of `f` that no version of its key in `f` is greater."""
        version = self.table.version_column
        by_version = f"{self.dialect.quoted(version)} DESC NULLS LAST, " if version else ""
        at, run = self.dialect.quoted(EXTRACTED_AT), self.dialect.quoted(RUN_ID)
        first = f"{by_version}{at} DESC, " if self.table.keeps_newest else f"{at} DESC, {by_version}"
        order = f"{first}{self._text('f')} DESC, {run} DESC NULLS LAST"
        return f"ROW_NUMBER() OVER (PARTITION BY {self.identity} ORDER BY {order}) = 1"

    @property
    def identity(self) -> str:
        """The list of expressions that identify a stored row: its key and, where the table has one, its month."""
        month_of = self.table.month_of
        month = [_month(self.dialect.quoted(month_of))] if month_of else []
        return ", ".join([self.dialect.names(self.table.key), *month])

    @property
    def is_same_key(self) -> str:
        """The condition that `s` and `t` are versions of one row: the same key, in the same month."""
        may_be_null = self.table.key_may_be_null
        compared = [(name in may_be_null, *self._pair(name)) for name in self.table.key]
        same = [_same(s, t) if is_nullable else f"{s} = {t}" for is_nullable, s, t in compared]
        return " AND ".join([*same, *self._is_of_the_months])

    @property
    def row_action(self) -> str:
        """The action of the row `s` where `t` is the stored version of its key; parameter: $latest, once.

        $latest is the batch's: a stored row with a later stamp is of a wrong clock, and counts as older than every
        other. A confirmed row is an equal one that advances the stamps.
        """
        s, t = self._pair(EXTRACTED_AT)
        is_future = f"COALESCE({t} > {self.dialect.bound('latest', 'TIMESTAMP')}, FALSE)"
        is_later_run = _greater(*self._pair(RUN_ID))
        is_later, by = f"{s} > {t}", [f"WHEN {s} < {t} THEN 'superseded' ", self._by_version]
        if self.table.keeps_newest:
            pair = self._pair(str(self.table.version_column))
            is_later, by = f"{_greater(*pair)} OR ({_same(*pair)} AND {is_later})", by[::-1]
        return (
            f"CASE WHEN {is_future} OR {is_later} THEN CASE WHEN {self._is_same_content} THEN 'confirmed' "
            "ELSE 'updated' END "
            f"WHEN {self._is_same_content} THEN CASE WHEN {s} = {t} AND {is_later_run} THEN 'confirmed' "
            f"ELSE 'unchanged' END {''.join(by)}"
            f"WHEN {self._text('s')} > {self._text('t')} THEN 'updated' ELSE 'superseded' END"
        )

    def assignments(self, row_action: str) -> str:
        """Return the columns that an updated or a confirmed row takes from `s`; parameter of an updated: $load_seq."""
        if row_action == "confirmed":
            return self._from_file((EXTRACTED_AT, RUN_ID))
        key = {name.lower() for name in self.table.key}
        taken = self._from_file(name for name in self.columns if name.lower() not in key)
        return f"{taken}, {self.dialect.quoted(LOAD_SEQ)} = {self.dialect.parameter('load_seq')}"

    @property
    def _is_of_the_months(self) -> list[str]:
        """The conditions on the month. Engines skip the parts of a table that lie outside of a constant range."""
        if not self.table.month_of:
            return []
        s, t = self._pair(self.table.month_of)
        same = _same(_month(s), _month(t))
        if self.months is None:
            return [same]
        first, end = (f"CAST('{each.isoformat()}' AS {self.dialect.type_of('TIMESTAMP')})" for each in self.months)
        return [same, f"{t} >= {first}", f"{t} < {end}"]

    @property
    def _is_same_content(self) -> str:
        same = []
        for name in self.content:
            s, t = (self.dialect.comparable(column, self.columns[name]) for column in self._pair(name))
            same.append(_same(s, t))
        return " AND ".join(same) or "TRUE"

    @property
    def _by_version(self) -> str:
        if not self.table.version_column:
            return ""
        pair = self._pair(self.table.version_column)
        return f"WHEN NOT ({_same(*pair)}) THEN CASE WHEN {_greater(*pair)} THEN 'updated' ELSE 'superseded' END "

    def _text(self, alias: str) -> str:
        """Return the expression for the content as text; two rows have the same text only if they are equal."""
        parts = []
        for name in self.content:
            value = self.dialect.to_json(f"{alias}.{self.dialect.quoted(name)}", self.columns[name])
            parts.append(f"COALESCE('{name.lower()}:' || {value} || ',', '')")
        return self.dialect.concatenated(parts) if parts else "''"

    def _from_file(self, names: Iterable[str]) -> str:
        return ", ".join(f"{self.dialect.quoted(name)} = s.{self.dialect.quoted(name)}" for name in names)

    def _pair(self, name: str) -> tuple[str, str]:
        return f"s.{self.dialect.quoted(name)}", f"t.{self.dialect.quoted(name)}"


def match(
    dialect: Dialect, table: Table, file_columns: Mapping[str, str], stored: Mapping[str, str], columns_limit: int
) -> MergeRule:
    """Match the file's columns (`file_columns`, name: kind) to the raw table's (`stored`), by name in any case.

    Raises BadObject: `missing_key`, `schema` (a kind that does not fit), `too_large` (too many columns, or new ones).
    """
    require_key(table, file_columns)
    columns = {name: kind for name, kind in stored.items() if name.lower() != LOAD_SEQ}
    known = {name.lower(): kind for name, kind in columns.items()}
    present = {name: kind for name, kind in file_columns.items() if kind != NOTHING}
    kinds = {name: dialect.widened.get(kind, kind) for name, kind in present.items()}
    for name, kind in kinds.items():
        expected = known.get(name.lower(), kind)
        if expected not in (kind, NESTED):
            raise BadObject("schema", f"column {name}: expected {expected}, got {present[name]}")
    new_columns = {name: kind for name, kind in kinds.items() if name.lower() not in known}
    columns |= new_columns
    if len(columns) > columns_limit:
        would = f"raw.{table.name} would exceed the limit of {columns_limit} columns ({len(columns)})"
        raise BadObject("too_large", would)
    if len(new_columns) > NEW_COLUMNS_LIMIT:
        raise BadObject("too_large", f"expected at most {NEW_COLUMNS_LIMIT} new columns, got {len(new_columns)}")
    return MergeRule(dialect, table, columns, present, new_columns)


def months_of(first: datetime | None, last: datetime | None) -> Months | None:
    """Return the months that contain all of a file's instants, from the first to the last; None where none is known."""
    if first is None or last is None or (last.year, last.month) == (9999, 12):
        return None
    return date(first.year, first.month, 1), date(last.year + last.month // 12, last.month % 12 + 1, 1)


def require_key(table: Table, file_columns: Iterable[str]) -> None:
    """Raise BadObject (`missing_key`) unless the file has the columns of the table's key."""
    present = {name.lower() for name in file_columns}
    missing = [name for name in table.key if name.lower() not in present]
    if missing:
        part = "it is part" if len(missing) == 1 else "they are part"
        raise BadObject("missing_key", f"no column {' and '.join(missing)}: {part} of the key of {table.name}")


def without_key(table: Table, name: str) -> str:
    """Return the message about rows with NULL in a column of the key."""
    return f"have no {name}: it is part of the key of {table.name}"


def out_of_range(name: str) -> str:
    """Return the message about rows with an instant that not every engine can hold."""
    return f"have a {name} outside of the years 1 to 9999"


def of_another_owner(column: str, value: str) -> str:
    """Return the message about rows of another owner than the batch's."""
    return f"have another {column} than {value!r:.80}, the owner of the file's folder"


def _month(instant: str) -> str:
    return f"DATE_TRUNC('month', {instant})"


def _same(s: str, t: str) -> str:
    return f"{s} IS NOT DISTINCT FROM {t}"


def _greater(s: str, t: str) -> str:
    return f"COALESCE({s} > {t}, {s} IS NOT NULL AND {t} IS NULL)"
