"""An event as a row of the store, and rows as the Parquet file that leaves the machine."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import cast

from millrace.collect.identity import Privacy
from millrace.collect.parsers.event import Role, Speed, Tokens, UsageEvent
from millrace.collect.repositories import Owners

Value = str | int | None
Row = tuple[Value, ...]

COLUMNS = (
    "agent",
    "message_id",
    "request_id",
    "session_id",
    "role",
    "occurred_at",
    "project",
    "provider",
    "model",
    "speed",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "is_estimated",
    "reported_cost_usd",
    "region",
    "web_searches",
    "is_lower_bound",
    "repository",
)
"""The columns of an event in the store; a missing request is '', and an instant is microseconds since 1970."""

PROJECT, REPOSITORY = COLUMNS.index("project"), COLUMNS.index("repository")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_row(event: UsageEvent) -> Row:
    """Return the event as values in the order of `COLUMNS`."""
    tokens = event.tokens
    return (
        event.agent,
        event.message_id,
        event.request_id or "",
        event.session_id,
        event.role,
        to_microseconds(event.occurred_at),
        event.project,
        event.provider,
        event.model,
        event.speed,
        tokens.input_tokens,
        tokens.output_tokens,
        tokens.cache_read_tokens,
        tokens.cache_write_5m_tokens,
        tokens.cache_write_1h_tokens,
        tokens.reasoning_tokens,
        int(event.is_estimated),
        None if event.cost_usd is None else format(event.cost_usd, "f"),
        event.region,
        event.web_searches,
        int(event.is_lower_bound),
        event.repository,
    )


def to_event(row: Row) -> UsageEvent:
    """Return the event of a row that `to_row` returned."""
    agent, message_id, request_id, session_id, role, occurred_at, project, provider, model, speed = row[:10]
    is_estimated, cost, region, web_searches, is_lower_bound, repository = row[16:22]
    return UsageEvent(
        agent=cast("str", agent),
        session_id=cast("str", session_id),
        message_id=cast("str", message_id),
        request_id=cast("str", request_id) or None,
        role=cast("Role", role),
        occurred_at=to_instant(cast("int", occurred_at)),
        project=cast("str | None", project),
        provider=cast("str | None", provider),
        model=cast("str | None", model),
        speed=cast("Speed | None", speed),
        tokens=Tokens(*cast("tuple[int | None, ...]", row[10:16])),
        is_estimated=bool(is_estimated),
        cost_usd=None if cost is None else Decimal(cast("str", cost)),
        region=cast("str | None", region),
        web_searches=cast("int | None", web_searches),
        is_lower_bound=bool(is_lower_bound),
        repository=cast("str | None", repository),
    )


def with_repository(row: Row, earlier: Iterable[Row]) -> Row:
    """Return an event without a repository with that of an earlier reading of it in the same folder.

    A folder that was removed, or lost its remote, does not make a known repository unknown.
    """
    if row[REPOSITORY] is not None:
        return row
    known = [cast(str, one[REPOSITORY]) for one in earlier if one[REPOSITORY] and one[PROJECT] == row[PROJECT]]
    return (*row[:REPOSITORY], min(known), *row[REPOSITORY + 1 :]) if known else row


def to_microseconds(instant: datetime) -> int:
    """Return an instant as microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def to_instant(microseconds: int) -> datetime:
    """Return the instant of a number that `to_microseconds` returned."""
    return _EPOCH + microseconds * _MICROSECOND


def to_parquet(
    rows: Sequence[Row],
    collector_id: str,
    user_id: str | None,
    privacy: Privacy,
    owners: Owners,
    extracted_at: datetime,
) -> bytes:
    """Return the rows as a file with the schema of `usage_events`: its columns, and no others, leave the machine.

    Each row has the columns of an event, and whether it is withdrawn. A repository leaves it only if
    its owner is one of `owners`, wherever the row has it from.
    """
    # Only a batch needs Arrow; to load it takes as long as to read ten thousand lines.
    import pyarrow as pa
    import pyarrow.parquet as pq

    from millrace.tables import EXTRA, EXTRACTED_AT, RUN_ID, TABLES

    schema = TABLES["usage_events"].schema
    values = dict(zip((*COLUMNS, "is_withdrawn"), map(list, zip(*rows, strict=True)), strict=True))
    names = {project: privacy.named(cast(str | None, project)) for project in set(values["project"])}
    repositories = {one: _sent(cast(str | None, one), privacy, owners) for one in set(values["repository"])}
    columns: dict[str, list[object]] = {
        **values,
        "request_id": [request_id or None for request_id in values["request_id"]],
        "project": [names[project] for project in values["project"]],
        "repository": [repositories[repository] for repository in values["repository"]],
        "is_estimated": [bool(flag) for flag in values["is_estimated"]],
        "is_lower_bound": [bool(flag) for flag in values["is_lower_bound"]],
        "is_withdrawn": [bool(flag) for flag in values["is_withdrawn"]],
        "collector_id": [collector_id] * len(rows),
        "user_id": [privacy.named(user_id)] * len(rows),
        EXTRA: [None] * len(rows),
        EXTRACTED_AT: [extracted_at] * len(rows),
        RUN_ID: [None] * len(rows),
    }
    table = pa.table([pa.array(columns[field.name], field.type) for field in schema], schema=schema)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return cast(bytes, sink.getvalue().to_pybytes())


def _sent(repository: str | None, privacy: Privacy, owners: Owners) -> str | None:
    """Return the repository as it leaves the machine; the spelling of a remote does not change its hash."""
    if repository is None or not owners.has(repository):
        return None
    return repository if privacy.hash_key is None else privacy.named(repository.lower())
