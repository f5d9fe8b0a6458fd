"""What a raw table is: its columns, its key, and how its source lists it."""

from dataclasses import dataclass, field
from datetime import timedelta

import pyarrow as pa

TEXT = pa.string()
COUNT = pa.int64()
RATIO = pa.float64()
FLAG = pa.bool_()
INSTANT = pa.timestamp("us", tz="UTC")
TEXTS = pa.list_(TEXT)
JSON = pa.field("", TEXT, metadata={b"millrace.type": b"json"})  # any JSON value, kept as its text

EXTRACTED_AT = "_extracted_at"
RUN_ID = "_run_id"
EXTRA = "_extra"
LOAD_SEQ = "_load_seq"
"""The columns that every raw table has in addition to the source's own.

`_extra` is a JSON object of the values that the typed columns cannot hold: fields that are not in the registry, and
known fields that the source sent as an explicit null (an omitted field is in neither). The load sets `_load_seq`: the
change sequence of the row's last change.
"""
MOST_AHEAD = timedelta(minutes=15)
"""How far an `_extracted_at` may lie ahead of the loader's clock. Clocks differ; a later time cannot be true."""
META_FIELDS = (pa.field(EXTRA, TEXT), pa.field(EXTRACTED_AT, INSTANT), pa.field(RUN_ID, TEXT))


@dataclass(frozen=True, slots=True)
class PageNumberListing:
    """A listing by page number whose envelope contains the total number of rows.

    `rows` and `total` are their dotted paths in the envelope. The parameters `since` and `until` leave out rows older
    or younger than a day, by the column `dated`. With `is_narrow` the source leaves out old rows also when `since` is
    absent. `states` are the values of the column `state`; the source counts rows by state (`state_parameter`), so that
    a changed old row moves from one count to another.

    `by` names a (parameter, column) pair that makes the source's order stable. Without it the order of a listing of
    several pages may differ from request to request.
    """

    path: str
    page_size: int
    size_parameter: str
    rows: str
    total: str
    since: str | None = None
    until: str | None = None
    dated: str | None = None
    is_narrow: bool = False
    by: tuple[str, str] | None = None
    state_parameter: str | None = None
    states: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SinglePageListing:
    """A listing in one body: a raw array."""

    path: str


@dataclass(frozen=True, slots=True)
class ChildListing:
    """A raw array for each row of the parent table; `{column}` in the path is a column of that row.

    `total` is the parent's column that holds the number of rows (None: there is only one body). `sets` maps columns of
    these rows that the body lacks to the parent's columns that hold their values.
    """

    path: str
    paged: bool
    total: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    sets: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """One raw table: `columns` are the source's fields, `key` identifies a row.

    `version_column` orders two versions of a row that were read at one time; with `keeps_newest` also those of two
    readings, where the later one may not have what the earlier one saw. Key columns are compared null-safe; a row with
    NULL in one that is not in `key_may_be_null` has no identity.

    `month_of` is an instant that the source never changes. A load looks for the stored version of a row among those of
    the same month only, so that it does not read the whole history. A row whose instant moves to another month is
    stored in both; its staging model has to keep the newer one.

    `bulk` is the cheapest complete listing (None: the table is not extracted), `plain` the one that every server of the
    contract has. `owner` is the column that must equal the folder of a dropped file, if it is in one. An incremental
    run reads the last `lookback_days` again, because rows change or arrive late. An optional table may stay empty.
    """

    name: str
    columns: pa.Schema
    key: tuple[str, ...]
    bulk: PageNumberListing | SinglePageListing | None = None
    plain: ChildListing | None = None
    version_column: str | None = None
    keeps_newest: bool = False
    month_of: str | None = None
    key_may_be_null: tuple[str, ...] = ()
    lookback_days: int = 0
    owner: str | None = None
    is_optional: bool = False
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        """Set the Parquet schema: the source's columns, then ours."""
        object.__setattr__(self, "schema", pa.schema([*self.columns, *META_FIELDS]))


def is_json(column: pa.Field) -> bool:
    """Return whether the column holds JSON text."""
    return (column.metadata or {}).get(b"millrace.type") == b"json"


def columns_of(**types: pa.DataType | pa.Field) -> pa.Schema:
    """Return a schema of named columns of these types, in their order."""
    return pa.schema(
        [kind.with_name(name) if isinstance(kind, pa.Field) else pa.field(name, kind) for name, kind in types.items()]
    )
