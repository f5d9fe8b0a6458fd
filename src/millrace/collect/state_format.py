"""The tables of a collector's state, and the only place where a state of an older version is brought up to date.

Format 1 has its values in `meta`. Since format 2 they are in `about`, and `meta` is empty: a version that only reads
format 1 would add its values to it, and the trigger's message is its error.
"""

from typing import cast

from millrace.collect.records import COLUMNS
from millrace.collect.state_file import StateFile
from millrace.errors import ConfigError

FORMAT = 2

PENDING = "coalesce(batch, -1) < 0"
"""Whether a row of `events` is pending; queries repeat it as it is, or SQLite does not use the index."""

_EVENT = ", ".join(f"{name} not null" if name in COLUMNS[:6] else name for name in COLUMNS)
DDL = f"""
create table if not exists meta (name text primary key, value text not null) without rowid;
create trigger if not exists upgraded before insert on meta begin
    select raise(abort, 'a newer version of millrace has upgraded this state, so update this one');
end;
create table if not exists about (name text primary key, value text not null) without rowid;
create table if not exists logs (
    log integer primary key, path blob not null unique, agent text not null, identity text not null,
    seen text not null, mark text not null, epoch integer not null, state text not null,
    reading integer not null default 0, rules integer not null default 1, prior text not null default '',
    unmade integer, older integer
);
create index if not exists logs_by_identity on logs (identity);
create table if not exists skipped (
    log integer not null, reason text not null, lines integer not null, primary key (log, reason)
) without rowid;
create table if not exists events (
    {_EVENT},
    source integer not null, epoch integer not null, batch integer, reading integer not null default 0,
    rules integer not null default 1,
    primary key (agent, message_id, request_id, source)
) without rowid;
create index if not exists due on events (agent, message_id) where {PENDING};
create table if not exists withdrawn (
    {_EVENT}, live integer not null, batch integer, primary key (agent, message_id, request_id)
) without rowid;
create index if not exists withdrawn_due on withdrawn (agent, message_id) where batch is null;
"""
_ADDED = {
    "events": {
        "region": "",
        "web_searches": "",
        "is_lower_bound": " default 0",
        "repository": "",
        "reading": " integer not null default 0",
        "rules": " integer not null default 1",
    },
    "withdrawn": {"repository": ""},
    "logs": {
        "reading": " integer not null default 0",
        "rules": " integer not null default 1",
        "prior": " text not null default ''",
        "unmade": " integer",
        "older": " integer",
    },
}


def upgrade(file: StateFile) -> bool:
    """Bring a state up to date within a transaction, to be committed; return whether it was of format 1.

    Raises ConfigError when a newer version has written it.
    """
    about = dict(file.query("select name, value from about"))
    with file.trusting():
        written = int(about.get("format", FORMAT))
    if written > FORMAT:
        expected = f"expected format {FORMAT} or older, got {written}"
        raise ConfigError(f"the state in {file.folder} is of a newer version of millrace: {expected}; update this one")
    added = {(table, name) for table in _ADDED for name in _add_columns(file, table)}
    is_first = bool(file.query("select 1 from meta limit 1"))
    if is_first:
        file.write("insert or replace into about select name, value from meta")
        file.write("delete from meta")
        file.write("drop index if exists pending")
        # What was pending may have been sent before it changed.
        file.write("update events set batch = -1 where batch is null")
    if ("events", "reading") in added:  # only a full read of the logs fills it
        file.write("update about set value = value + 1 where name = 'epoch'")
    if is_first or not about:
        file.write("insert or replace into about values ('format', ?)", (str(FORMAT),))
    return is_first


def _add_columns(file: StateFile, table: str) -> list[str]:
    there = {cast(str, row[1]) for row in file.query(f"pragma table_info({table})")}
    added = [name for name in _ADDED[table] if name not in there]
    for name in added:
        file.write(f"alter table {table} add column {name}{_ADDED[table][name]}")
    return added
