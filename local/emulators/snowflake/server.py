"""An emulator of Snowflake: fakesnow, which runs its SQL on DuckDB, behind the interface of Snowflake's connector.

This module adds what fakesnow lacks: MERGE within a transaction, temporary tables by a qualified name, a sequence in
its schema, instants that are NULL, sums of decimals, a clone that replaces, errors of SQL where fakesnow answers 500,
which the connector would retry for minutes, and the functions of FACTS. What an account keeps and refuses is in the
modules beside it: kinds of tables (kinds), locks and transactions (locks, transactions, session), warehouses and
parameters (account, parameters, administration), types of timestamps (instants), grants (grants, access).

SUBSTITUTES lists what runs differently here than in Snowflake. Further differences:

- All statements of a transaction, once it has changed something, read what was committed before that change, and a
  change of rows that another transaction changed since then is aborted with 000625. In Snowflake each statement reads
  what was committed before it began.
- A statement that fails while it runs ends DuckDB's transaction, and the next one fails; only one that waits for a
  lock in vain, or that is refused before it runs, leaves its transaction active as in Snowflake.
- A temporary table is seen by other sessions. VARCHAR(n) does not cut.
- TIMESTAMP_TZ keeps no offset, and INFORMATION_SCHEMA calls it TIMESTAMP_LTZ. TO_TIMESTAMP and CURRENT_TIMESTAMP do not
  follow TIMESTAMP_TYPE_MAPPING.
- INFORMATION_SCHEMA and SHOW list objects on which the role has no privilege. Roles have no hierarchy.
- The numbers of these answers were found in no report and are assumed: a deadlock (000625), the abort of another
  user's transaction (003001), and the wording of 000615.
- `7/2` is a double, and a date cut to the week a timestamp: the models cast both.
"""

import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from importlib import import_module
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
import uvicorn
from fakesnow.cursor import FakeSnowflakeCursor
from snowflake.connector import errors
from sqlglot import exp
from sqlglot.errors import ParseError
from starlette.applications import Starlette
from starlette.routing import Route

from emulators.snowflake import division, duckdb_refusals, grammar, patterns, refusals, statements
from emulators.snowflake.account import Account
from emulators.snowflake.clock import Clock, RealClock
from emulators.snowflake.instants import COLUMNS, map_timestamps
from emulators.snowflake.kinds import SHOWN_TABLES, with_kinds
from emulators.snowflake.parameters import DEFAULTS
from emulators.snowflake.refusals import Refusal
from emulators.snowflake.refused import error_of
from emulators.snowflake.session import Session
from emulators.snowflake.signing_in import Connections, signing_in, with_master_token
from emulators.snowflake.trees import SESSIONS, Trees

SUBSTITUTES = {
    "MERGE": "DuckDB's own MERGE, which takes any of several rows with one key",
    "CREATE TEMPORARY TABLE": "a table that its creator has to drop, and that other sessions see",
    "CREATE TRANSIENT TABLE": "a table, with a note of its kind",
    "CREATE SEQUENCE … ORDER": "a sequence, which is in order anyway",
    "COPY INTO … FROM an external stage": "of a folder; PATTERN is not known, and FILES there only",
    "REMOVE, ALTER WAREHOUSE": "nothing; the answer is that it was done",
    "CREATE USER, ROLE, WAREHOUSE": "a note of the name, and of a user's parameters",
    "GRANT ROLE, GRANT OWNERSHIP": "nothing; only the role of a session counts, and its creator owns an object",
    "ALTER SESSION, USER, ACCOUNT": (
        "a note; obeyed are TIMEZONE, TIMESTAMP_TYPE_MAPPING, LOCK_TIMEOUT, AUTOCOMMIT and, while a statement waits, "
        "its timeout; a week begins on Monday, whatever WEEK_START"
    ),
    "SHOW … FUNCTIONS": "an empty list",
}
"""Statements that do not run here as in Snowflake, and what is done instead."""

FACTS = {
    "CURRENT_REGION()": "GCP_EUROPE_WEST4",
    "CURRENT_ROLE()": "ACCOUNTADMIN",
    "SYSTEM$GET_SNOWFLAKE_PLATFORM_INFO()": (
        '{"snowflake-project-id":["emulated-a12b"],"snowflake-customer-directory-id":["C01snow99"]}'
    ),
}
"""What functions about the account and the session return; a test may set other values."""

_START_S = 300.0
_CONFLICT = 625  # Snowflake: the statement waited too long for a lock
_ABOUT = re.compile("|".join(map(re.escape, FACTS)), re.IGNORECASE)
_CONTEXT = re.compile(r"\b(CURRENT_(?:SESSION|TRANSACTION|USER|WAREHOUSE))\s*\(\s*\)", re.IGNORECASE)
_NOW = re.compile(r"\bCURRENT_TIMESTAMP\s*\(\s*\)", re.IGNORECASE)
_COPIED = re.compile(r"(\bTABLE\b.*?)(\sCLONE\s+\S+)\s+(COPY\s+GRANTS)\s*;?\s*$", re.IGNORECASE | re.DOTALL)
_ABORT = re.compile(r"\bSYSTEM\$ABORT_TRANSACTION\s*\(\s*(?:'?(\d+)'?|\?)\s*\)", re.IGNORECASE)
_SERVER: Any = import_module("fakesnow.server")  # the package has a function of that name
_CURSOR: Any = import_module("fakesnow.cursor")
_ARROW: Any = import_module("fakesnow.arrow")
_TRANSFORMS: Any = import_module("fakesnow.transforms")
_INFO: Any = import_module("fakesnow.info_schema")
_PLAIN = (exp.Select, exp.Insert, exp.Update, exp.Delete, exp.Merge)
_BOUND = re.compile(r"\bIDENTIFIER\s*\(", re.IGNORECASE)
_TEXT = "text"
_COUNTED = {"INSERT": "number of rows inserted", "UPDATE": "number of rows updated", "DELETE": "number of rows deleted"}


@cache
def private_key() -> str:
    """Return a private key; the emulator accepts any."""
    # Of a curve: the client checks an RSA key at each sign-in, which takes longer than all else in it.
    made = "openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt"
    return subprocess.run(made, shell=True, check=True, capture_output=True, text=True).stdout  # noqa: S602


@contextmanager
def serving(
    timezone: str = DEFAULTS["TIMEZONE"],
    timestamp_type_mapping: str = DEFAULTS["TIMESTAMP_TYPE_MAPPING"],
    clock: Clock | None = None,
) -> Iterator[str]:
    """Serve an account until the block ends; yield the query of an address that leads here (see Address.parse).

    The parameters of the account are Snowflake's defaults. `clock` measures how long a statement waits.
    """
    account = Account(clock or RealClock(), {"TIMEZONE": timezone, "TIMESTAMP_TYPE_MAPPING": timestamp_type_mapping})
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            _app(account), log_config=None, log_level="critical", lifespan="off", timeout_graceful_shutdown=1
        )
    )
    thread = threading.Thread(target=_serve, args=(server, listening), name="snowflake", daemon=True)
    thread.start()
    began = time.monotonic()
    while not server.started:
        if time.monotonic() - began > _START_S:
            raise TimeoutError("the emulator of Snowflake did not start")
        time.sleep(0.01)
    try:
        yield f"host=127.0.0.1&port={listening.getsockname()[1]}&protocol=http"
    finally:
        account.close()
        server.should_exit = server.force_exit = True
        thread.join(2)


def end_sessions() -> None:
    """End all sessions as the server does after a while; their clients get to know with the next statement."""
    for token in list(_SERVER.sessions):
        del _SERVER.sessions[token]


def _serve(server: uvicorn.Server, listening: socket.socket) -> None:
    sys.settrace(None)  # coverage does not need this thread, and tracing would take twice as long
    server.run(sockets=[listening])


def _app(account: Account) -> Any:
    """Return the server's application, for the sessions of one account."""
    _patch()
    sign_in = Route("/session/v1/login-request", signing_in(account), methods=["POST"])
    return Starlette(routes=[sign_in, *_SERVER.routes])


@cache
def _patch() -> None:
    """Add what this module adds to fakesnow, once."""
    cursor: Any = FakeSnowflakeCursor
    cursor._transform = _remembered(patterns.refused_of_perl(division.refused_by_zero(_persistent(cursor._transform))))
    cursor._transform_explode = _whole(cursor._transform_explode)
    cursor._execute = _described(_counting(cursor._execute))
    cursor._describe_last_sql = _kept(cursor._describe_last_sql)
    cursor.execute = _answering(cursor.execute)
    _SERVER.parse_one = _CURSOR.parse_one = _parsed_once(_CURSOR.parse_one)
    _TRANSFORMS.numeric_agg_implicit_cast = _exact(_TRANSFORMS.numeric_agg_implicit_cast)
    _ARROW.timestamp_to_sf_struct = _with_nulls(_ARROW.timestamp_to_sf_struct)
    _SERVER.sessions = Connections()
    _SERVER.from_binding = _without_zone(_SERVER.from_binding)
    _SERVER.shared_fs.duck_conn.execute("SET threads = 1")  # rows are few: more threads only wake each other
    _SERVER.JSONResponse = with_master_token(_SERVER.JSONResponse)
    _SERVER.shared_fs.duck_conn.execute(COLUMNS)
    _SERVER.shared_fs.duck_conn.execute(SHOWN_TABLES)
    _SERVER.logger.disabled = True
    _INFO.SQL_CREATE_INFORMATION_SCHEMA_TABLES_VIEW = with_kinds(_INFO.SQL_CREATE_INFORMATION_SCHEMA_TABLES_VIEW)


def _parsed_once(parse: Any) -> Any:
    """Parse each text once, and keep the text with the parsed statement."""
    trees = Trees()

    def parsed(command: str) -> Any:
        expression = trees.get(command, None, lambda: parse(command))
        expression.meta[_TEXT] = command
        return expression

    return parsed


def _refuse_form(command: str) -> None:
    """Raise the answer of Snowflake if it has no such form of a statement."""
    refusal = _refusal(SESSIONS.sub("0", command))
    if refusal is not None:
        raise error_of(refusal)


@lru_cache(2_000)
def _refusal(command: str) -> Refusal | None:
    return grammar.refusal(command)


def _remembered(transform: Any) -> Any:
    """Translate a statement once per schema: a translation takes some eighty walks over it, most of its cost.

    Only statements whose translation depends on text and schema alone are kept: none with a bound IDENTIFIER, and no
    table that is created from a query or as a clone.
    """
    trees = Trees()

    def transformed(cursor: Any, expression: Any, params: Any) -> Any:
        text = expression.meta.get(_TEXT)
        is_table = isinstance(expression, exp.Create) and expression.kind == "TABLE"
        is_made_of_another = is_table and (expression.expression or expression.args.get("clone"))
        if (
            text is None
            or not (is_table or isinstance(expression, _PLAIN))
            or is_made_of_another
            or _BOUND.search(text)
        ):
            return transform(cursor, expression.copy(), params)
        mapping = cursor._conn.session.parameter("TIMESTAMP_TYPE_MAPPING")
        place = (type(expression), cursor._conn.database, cursor._conn.schema, mapping)
        return trees.get(text, place, lambda: transform(cursor, expression.copy(), params))

    return transformed


def _persistent(transform: Any) -> Any:
    """Make each table one of DuckDB's own; find a sequence in its schema, and drop its order, which it has anyway."""

    def transformed(cursor: Any, expression: Any, params: Any) -> Any:
        map_timestamps(expression, cursor._conn.session.parameter("TIMESTAMP_TYPE_MAPPING"))
        if isinstance(expression, exp.Create):
            for kind in list(expression.find_all(exp.TemporaryProperty, exp.TransientProperty)):
                kind.pop()
            for sequence in expression.find_all(exp.SequenceProperties):
                sequence.set("options", None)
        for column in list(expression.find_all(exp.Column)):
            if column.name.upper() == "NEXTVAL" and column.db:
                called = exp.Anonymous(this="nextval", expressions=[exp.Literal.string(f"{column.db}.{column.table}")])
                column.replace(exp.alias_(called, "NEXTVAL"))
        return transform(cursor, expression, params)

    return transformed


def _with_nulls(to_struct: Any) -> Any:
    """Keep a NULL instant from becoming the first of January 1970, and return one of any zone in UTC."""

    def converted(instants: Any) -> Any:
        if instants.type.tz:
            instants = instants.cast(pa.timestamp("us", "UTC"))
        given, whole = (
            to_struct(instants),
            instants.combine_chunks() if isinstance(instants, pa.ChunkedArray) else instants,
        )
        return pa.StructArray.from_arrays(given.flatten(), fields=list(given.type), mask=pc.is_null(whole))

    return converted


def _without_zone(read: Any) -> Any:
    """Bind a TIMESTAMP_NTZ as what it is: an instant of UTC would be moved into the session's zone."""

    def bound(binding: dict[str, str]) -> Any:
        value = read(binding)
        return value.replace(tzinfo=None) if binding["type"] == "TIMESTAMP_NTZ" and value is not None else value

    return bound


def _exact(to_double: Any) -> Any:
    """Keep a sum a decimal: fakesnow converts the operand to a double, so that the sum is no text."""

    def transformed(expression: Any) -> Any:
        return expression if isinstance(expression, exp.Sum) else to_double(expression)

    return transformed


def _whole(explode: Any) -> Any:
    """Leave a MERGE as it is: DuckDB has the statement, and it must run within the transaction."""

    def exploded(cursor: Any, expression: Any) -> Any:
        return [expression] if isinstance(expression, exp.Merge) else explode(cursor, expression)

    return exploded


def _counting(execute: Any) -> Any:
    """Answer a MERGE with how many rows it inserted and updated, as the service does."""

    def executed(cursor: Any, transformed: Any, params: Any = None) -> None:
        if not isinstance(transformed, exp.Merge):
            execute(cursor, transformed, params)
            return
        returning = transformed.copy()
        returning.set("returning", exp.Returning(expressions=[exp.column("merge_action")]))
        execute(cursor, returning, params)
        actions = cursor._arrow_table.column(0).to_pylist()
        possible = {when.args["then"].key.upper() for when in transformed.args["whens"].expressions}
        counts = [f'{actions.count(each)} AS "{name}"' for each, name in _COUNTED.items() if each in possible]
        execute(cursor, sqlglot.parse_one(f"SELECT {', '.join(counts)}"))

    return executed


def _described(execute: Any) -> Any:
    """Keep the columns of the result: fakesnow plans each statement a second time to describe them."""

    def executed(cursor: Any, transformed: Any, params: Any = None) -> None:
        execute(cursor, transformed, params)
        is_of_earlier = transformed.args.get("result_scan_sfqid") is not None
        columns = None if is_of_earlier else [(name, str(kind)) for name, kind, *_ in cursor._duck_conn.description]
        cursor._columns = columns

    return executed


def _kept(describe: Any) -> Any:
    """Answer with the columns that `_described` keeps."""

    def described(cursor: Any) -> Any:
        if cursor._columns is None:
            return describe(cursor)
        return [(name, kind, None, None, None, None) for name, kind in cursor._columns]

    return described


def _tree(text: str) -> exp.Expression | None:
    """Return the parsed statement, which nothing may change; None when it cannot be parsed."""
    try:
        parsed: exp.Expression = _CURSOR.parse_one(text)
    except (ParseError, errors.Error):
        return None
    return parsed


def _with_facts(session: Session, command: str, values: Any) -> str:
    """Return a statement with the answers of the functions about account and session in the place of their calls."""
    command = _COPIED.sub(r"\1 \3 \2", command)  # sqlglot knows COPY GRANTS only before CLONE
    command = _ABOUT.sub(lambda called: f"'{FACTS[called[0].upper()]}'", command)
    command = _NOW.sub(f"CAST('{session.account.clock.now().isoformat()}' AS TIMESTAMP_LTZ)", command)
    facts = session.facts()
    command = _CONTEXT.sub(lambda called: _text(facts[called[1].upper()]), command)
    return _ABORT.sub(lambda called: _text(session.abort(int(called[1] or values[0]))), command)


def _text(value: str | None) -> str:
    return "CAST(NULL AS VARCHAR)" if value is None else f"'{value}'"


def _answering(execute: Any) -> Any:
    """Answer with an error of SQL where the server would fail."""

    def executed(cursor: Any, command: str, *arguments: Any, **named: Any) -> Any:
        sys.settrace(None)  # a thread of the server's own, as in _serve
        session: Session = cursor._conn.session
        try:
            _refuse_form(command)
            command = _with_facts(session, command, named.get("binding_params"))
            statement = statements.read(command, _tree(command))
            return session.run(statement, lambda text: execute(cursor, text, *arguments, **named))
        except errors.Error as error:
            if isinstance(error.__cause__, duckdb.Error):
                raise error_of(duckdb_refusals.refusal(error.__cause__, command)) from None
            raise
        except duckdb.TransactionException as error:
            session.roll_back()
            raise errors.ProgrammingError(msg=str(error), errno=_CONFLICT, sqlstate="57014") from None
        except duckdb.Error as error:
            raise error_of(duckdb_refusals.refusal(error, command)) from None
        except Exception as error:  # noqa: BLE001 the client must receive every failure of the emulator
            raise error_of(refusals.internal_error(f"{type(error).__name__}: {error}")) from None

    return executed
