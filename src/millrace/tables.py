"""The registry: one entry per raw table, with its columns, its key and the origin of its rows.

A new endpoint is one `Table` here, one staging model in dbt, and nothing else: the extract function, the object
names, the Parquet schema, the raw table and the run's plan all follow from the entry. A table without a listing is not
extracted: its rows arrive as files under `drop/`.

Column names are the source's own. `docs/source.md` describes how a listing becomes complete.
"""

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

    `version_column` orders two versions of a row. Key columns are compared null-safe; a row with NULL in one that is
    not in `key_may_be_null` has no identity.

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
    parent: str | None = None
    version_column: str | None = None
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


def _columns(**types: pa.DataType | pa.Field) -> pa.Schema:
    return pa.schema(
        [kind.with_name(name) if isinstance(kind, pa.Field) else pa.field(name, kind) for name, kind in types.items()]
    )


_REPOS = Table(
    name="repos",
    columns=_columns(
        full_name=TEXT,
        default_branch=TEXT,
        open_pull_requests_count=COUNT,
        total_pull_requests_count=COUNT,
    ),
    key=("full_name",),
    bulk=SinglePageListing("/repos"),
)

_COMMITS = Table(
    name="commits",
    columns=_columns(
        commitHash=TEXT,
        userId=TEXT,
        userEmail=TEXT,
        userName=TEXT,
        repoName=TEXT,
        branchName=TEXT,
        isPrimaryBranch=FLAG,
        totalLinesAdded=COUNT,
        totalLinesDeleted=COUNT,
        tabLinesAdded=COUNT,
        tabLinesDeleted=COUNT,
        composerLinesAdded=COUNT,
        composerLinesDeleted=COUNT,
        nonAiLinesAdded=COUNT,
        nonAiLinesDeleted=COUNT,
        message=TEXT,
        commitTs=INSTANT,
        createdAt=INSTANT,
    ),
    key=("commitHash", "repoName", "userId"),  # a hash alone repeats: amended commits, forks
    key_may_be_null=("repoName",),  # privacy mode leaves it out
    version_column="createdAt",
    lookback_days=7,  # a commit is ingested later than it was made
    bulk=PageNumberListing(
        "/analytics/ai-code/commits",
        page_size=1000,
        size_parameter="pageSize",
        rows="items",
        total="totalCount",
        since="startDate",
        until="endDate",
        dated="commitTs",
        is_narrow=True,  # thirty days by default
    ),
)

_PULL_REQUESTS = Table(
    name="pull_requests",
    columns=_columns(
        id=COUNT,
        number=COUNT,
        title=TEXT,
        body=TEXT,
        state=TEXT,
        author_id=TEXT,
        author_email=TEXT,
        author_name=TEXT,
        repo_name=TEXT,
        base_branch=TEXT,
        head_branch=TEXT,
        reviewers=TEXTS,
        labels=TEXTS,
        additions=COUNT,
        deletions=COUNT,
        initial_additions=COUNT,
        changed_files=COUNT,
        commit_count=COUNT,
        ai_ratio=RATIO,
        tab_lines=COUNT,
        composer_lines=COUNT,
        commit_ids=TEXTS,
        created_at=INSTANT,
        updated_at=INSTANT,
        merged_at=INSTANT,
        closed_at=INSTANT,
        first_commit_at=INSTANT,
        first_review_at=INSTANT,
        last_commit_at=INSTANT,
        was_reverted=FLAG,
        is_bug_fix=FLAG,
    ),
    key=("repo_name", "number"),
    parent="repos",
    version_column="updated_at",
    lookback_days=14,  # reverts and edits that move no count
    bulk=PageNumberListing(
        "/analytics/github/prs",
        page_size=100,
        size_parameter="page_size",
        rows="data",
        total="pagination.total",
        since="start_date",
        until="end_date",
        dated="created_at",
        by=("author", "author_email"),
        state_parameter="status",
        states=("open", "closed", "merged"),
    ),
    plain=ChildListing(
        "/repos/{full_name}/pulls",
        paged=True,
        total="total_pull_requests_count",
        parameters=(("state", "all"),),
    ),
)

_REVIEWS = Table(
    name="reviews",
    columns=_columns(
        id=COUNT,
        pr_id=COUNT,
        reviewer=TEXT,
        state=TEXT,
        submitted_at=INSTANT,
        body=TEXT,
        comments=JSON,
    ),
    key=("pr_id", "id"),  # a server that regenerates its data assigns the same ids again
    parent="pull_requests",
    version_column="submitted_at",
    bulk=PageNumberListing(
        "/analytics/github/reviews",
        page_size=100,
        size_parameter="page_size",
        rows="data",
        total="pagination.total",
        by=("reviewer", "reviewer"),
    ),
    plain=ChildListing("/repos/{repo_name}/pulls/{number}/reviews", paged=False, sets=(("pr_id", "id"),)),
)

_USAGE_EVENTS = Table(
    name="usage_events",
    columns=_columns(
        collector_id=TEXT,
        user_id=TEXT,
        agent=TEXT,
        session_id=TEXT,
        message_id=TEXT,
        request_id=TEXT,
        role=TEXT,
        occurred_at=INSTANT,
        project=TEXT,
        provider=TEXT,
        model=TEXT,
        speed=TEXT,
        input_tokens=COUNT,
        output_tokens=COUNT,
        cache_read_tokens=COUNT,
        cache_write_5m_tokens=COUNT,
        cache_write_1h_tokens=COUNT,
        reasoning_tokens=COUNT,
        is_estimated=FLAG,
        reported_cost_usd=TEXT,  # a decimal number with all of its digits
        region=TEXT,
        web_searches=COUNT,
        is_lower_bound=FLAG,
        is_withdrawn=FLAG,  # this machine's logs do not make the event any more, by newer rules
    ),
    key=("agent", "message_id", "request_id", "collector_id"),  # one event as recorded in one machine's logs
    key_may_be_null=("request_id",),
    month_of="occurred_at",
    owner="collector_id",
)

# Files that a person, or `millrace map` and `millrace prices`, drops. Their rows take precedence over dbt's seeds.
_PROJECT_REPOSITORIES = Table(
    name="project_repositories",
    columns=_columns(
        project=TEXT,  # `*` in it matches any text
        repo_name=TEXT,  # none: takes an earlier row back
    ),
    key=("project",),
    is_optional=True,
)

_USER_DEVELOPERS = Table(
    name="user_developers",
    columns=_columns(
        user_id=TEXT,
        developer=TEXT,  # none: takes an earlier row back
    ),
    key=("user_id",),
    is_optional=True,
)

_USAGE_PRICES = Table(
    name="usage_prices",
    columns=_columns(
        model=TEXT,
        speed=TEXT,
        region=TEXT,
        context_over_tokens=COUNT,
        valid_from=TEXT,  # a day
        input_usd=RATIO,  # per million tokens, and per search below; no rate at all takes an earlier row back
        output_usd=RATIO,
        cache_read_usd=RATIO,
        cache_write_5m_usd=RATIO,
        cache_write_1h_usd=RATIO,
        web_search_usd=RATIO,
        source=TEXT,
    ),
    key=("model", "speed", "region", "context_over_tokens", "valid_from"),
    key_may_be_null=("speed", "region", "context_over_tokens"),
    is_optional=True,
)

_ALL = (
    _REPOS,
    _COMMITS,
    _PULL_REQUESTS,
    _REVIEWS,
    _USAGE_EVENTS,
    _PROJECT_REPOSITORIES,
    _USER_DEVELOPERS,
    _USAGE_PRICES,
)
TABLES: dict[str, Table] = {table.name: table for table in _ALL}
EXTRACTED: dict[str, Table] = {name: table for name, table in TABLES.items() if table.bulk is not None}


def children_of(name: str | None) -> list[Table]:
    """Return the tables whose extraction starts when that of table `name` is complete (None: when a run starts)."""
    return [table for table in TABLES.values() if table.bulk is not None and table.parent == name]
