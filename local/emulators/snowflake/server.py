"""An emulator of Snowflake: fakesnow, which runs its SQL on DuckDB, behind the interface of Snowflake's connector.

Added here: MERGE within a transaction, temporary tables by a qualified name, a sequence in its schema, instants that
are NULL, sums of decimals, the end of a transaction with its session and by a statement that creates, alters or drops
something, errors of SQL where fakesnow answers 500, which the connector would retry for minutes, and the functions of
FACTS.

SUBSTITUTES lists what runs differently here than in Snowflake. Further differences: a transaction that meets another's
change fails at once, and does not wait; all statements of a transaction read what was committed before the first, not
before each; VARCHAR(n) does not cut; a stage has no rights; no warehouse, role, pipe, integration or grant exists.
`7/2` is a double, and a date cut to the week a timestamp: the models cast both.
"""

import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
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

from emulators.snowflake import division, duckdb_refusals, grammar, refusals
from emulators.snowflake.refusals import Refusal
from emulators.snowflake.refused import error_of
from millrace.warehouse.snowflake import objects
from millrace.warehouse.snowflake.session import Address, connect

SUBSTITUTES = {
    "MERGE": "DuckDB's own MERGE, which takes any of several rows with one key",
    "CREATE TEMPORARY TABLE": "a table that its creator has to drop",
    "CREATE TRANSIENT TABLE": "a table",
    "CREATE SEQUENCE … ORDER": "a sequence, which is in order anyway",
    "COPY INTO … FROM an external stage": "of a folder; PATTERN is not known, and FILES there only",
    "REMOVE, GRANT, ALTER WAREHOUSE": "nothing; the answer is that it was done",
    "ALTER SESSION": "nothing but for TIMEZONE; a week begins on Monday, whatever WEEK_START",
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
_NOT_KNOWN = re.compile(r"\s*(REMOVE|GRANT|(ALTER|CREATE)\s+WAREHOUSE|ALTER\s+SESSION)\b", re.IGNORECASE)
_OF_ITS_OWN = re.compile(r"(\s|--[^\n]*\n|/\*.*?\*/)*(CREATE|DROP|ALTER\s+TABLE)\b", re.IGNORECASE | re.DOTALL)
_ABOUT = re.compile("|".join(map(re.escape, FACTS)), re.IGNORECASE)
_ZONE = re.compile(r"\s*ALTER\s+SESSION\s+SET\s+TIMEZONE\s*=\s*('[\w/+-]+')\s*", re.IGNORECASE)
_SERVER: Any = import_module("fakesnow.server")  # the package has a function of that name
_CURSOR: Any = import_module("fakesnow.cursor")
_ARROW: Any = import_module("fakesnow.arrow")
_TRANSFORMS: Any = import_module("fakesnow.transforms")
_PLAIN = (exp.Select, exp.Insert, exp.Update, exp.Delete, exp.Merge)
_BOUND = re.compile(r"\bIDENTIFIER\s*\(", re.IGNORECASE)
_SESSION = re.compile(r"(?:(?<=\bSTAGED_)|(?<=\bDEDUPLICATED_))[0-9A-F]{12}\b")  # in the names of temporary tables
_TEXT, _KNOWN = "text", 2000
_DONE = {"INSERT": "number of rows inserted", "UPDATE": "number of rows updated", "DELETE": "number of rows deleted"}


@cache
def private_key() -> str:
    """Return a private key; the emulator accepts any."""
    # Of a curve: the client checks an RSA key at each sign-in, which takes longer than all else in it.
    made = "openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt"
    return subprocess.run(made, shell=True, check=True, capture_output=True, text=True).stdout  # noqa: S602


def provision(address: Address, lake: str) -> None:
    """Create what Terraform creates for the code: schemas, stages over `lake` (the address of its `raw/`), META."""
    with connect(address) as connection:
        for schema in objects.SCHEMAS:
            connection.cursor().execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        for statement in (
            *objects.META.values(),
            *objects.ADDED.values(),
            f"CREATE STAGE IF NOT EXISTS {objects.LAKE} URL = '{lake}'",
            f"CREATE STAGE IF NOT EXISTS {objects.DROPS}",
            f"CREATE FILE FORMAT IF NOT EXISTS {objects.PARQUET} TYPE = PARQUET USE_LOGICAL_TYPE = TRUE",
        ):
            connection.cursor().execute(statement)


@contextmanager
def serving() -> Iterator[str]:
    """Serve until the block ends; yield the query of an address that leads here (see Address.parse)."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(_app(), log_config=None, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=_serve, args=(server, listening), name="snowflake", daemon=True)
    thread.start()
    began = time.monotonic()
    while not server.started:
        if time.monotonic() - began > _START_S:
            raise TimeoutError("the stand-in for Snowflake did not start")
        time.sleep(0.01)
    try:
        yield f"host=127.0.0.1&port={listening.getsockname()[1]}&protocol=http"
    finally:
        server.should_exit = server.force_exit = True
        thread.join(2)  # a statement that waits for the lock of a client that has gone never ends


def _serve(server: uvicorn.Server, listening: socket.socket) -> None:
    sys.settrace(None)  # coverage does not need this thread, and tracing would take twice as long
    server.run(sockets=[listening])


@cache
def _app() -> Any:
    """Return the server's application, with the additions of this module."""
    cursor: Any = FakeSnowflakeCursor
    cursor._transform = _remembered(division.refused_by_zero(_persistent(cursor._transform)))
    cursor._transform_explode = _whole(cursor._transform_explode)
    cursor._execute = _described(_counting(cursor._execute))
    cursor._describe_last_sql = _kept(cursor._describe_last_sql)
    cursor.execute = _answering(cursor.execute)
    _SERVER.parse_one = _parsed_once(_accepted)
    _CURSOR.parse_one = _parsed_once(_rewritten(_SERVER.parse_one, _CURSOR.parse_one))
    _TRANSFORMS.numeric_agg_implicit_cast = _exact(_TRANSFORMS.numeric_agg_implicit_cast)
    _ARROW.timestamp_to_sf_struct = _with_nulls(_ARROW.timestamp_to_sf_struct)
    _SERVER.sessions = _Sessions()
    _SERVER.shared_fs.duck_conn.execute("SET threads = 1")  # rows are few: more threads only wake each other
    _SERVER.JSONResponse = _with_master_token(_SERVER.JSONResponse)
    _SERVER.logger.disabled = True
    return _SERVER.app


def _with_master_token(respond: Any) -> Any:
    """Add a second token to a sign-in's answer, as the service does: without it the client never ends its session."""

    def responded(content: Any, *arguments: Any, **named: Any) -> Any:
        data = content.get("data")
        if isinstance(data, dict) and "token" in data:
            data["masterToken"] = data["token"]
        return respond(content, *arguments, **named)

    return responded


class _Sessions(dict[str, Any]):
    """The sessions by their tokens; the end of a session ends its transaction."""

    def __delitem__(self, token: str) -> None:
        with suppress(duckdb.Error):  # there was none
            self[token]._duck_conn.execute("ROLLBACK")
        super().__delitem__(token)


class _Trees:
    """Statements, parsed or translated, by their text and place; nothing may change them.

    Texts that differ only in the names of a session's temporary tables are made from the first of them.
    """

    def __init__(self) -> None:
        self._by_text: dict[object, Any] = {}
        self._first: dict[object, tuple[list[str], Any]] = {}

    def get(self, text: str, place: object, make: Callable[[], Any]) -> Any:
        """Return the statement; `make` it where there is none. Threads may make one twice: a lock could block them."""
        known = self._by_text
        tree = known.get((text, place))
        if tree is None:
            if len(known) >= _KNOWN:
                self._by_text, self._first = {}, {}
            tree = known[text, place] = self._made(text, place, make)
        return tree

    def _made(self, text: str, place: object, make: Callable[[], Any]) -> Any:
        sessions = list(dict.fromkeys(_SESSION.findall(text)))
        alike = (_SESSION.sub(lambda found: str(sessions.index(found[0])), text), place)
        first, tree = self._first.get(alike) or self._first.setdefault(alike, (sessions, make()))
        if first == sessions:
            return tree
        now = dict(zip(first, sessions, strict=True))
        return _renamed(tree.copy(), lambda text: _SESSION.sub(lambda found: now[found[0]], text))


def _renamed(value: Any, rename: Callable[[str], str]) -> Any:
    """Return a part of a statement with other names; fakesnow keeps some tables in tuples, which no walk finds."""
    if isinstance(value, str):
        return rename(value)
    if isinstance(value, tuple):
        return tuple(_renamed(each.copy() if isinstance(each, exp.Expression) else each, rename) for each in value)
    if isinstance(value, exp.Expression):
        for node in value.walk():
            leaves = {key: part for key, part in node.args.items() if isinstance(part, str | tuple)}
            node.args.update({key: _renamed(part, rename) for key, part in leaves.items()})
    return value


def _parsed_once(parse: Any) -> Any:
    """Parse each text once, and keep the text with the parsed statement."""
    trees = _Trees()

    def parsed(command: str) -> Any:
        expression = trees.get(command, None, lambda: parse(command))
        expression.meta[_TEXT] = command
        return expression

    return parsed


def _accepted(command: str) -> Any:
    """Return the statement, parsed; raise the answer of Snowflake if it refuses it."""
    statement = grammar.accepted(command)
    if isinstance(statement, Refusal):
        raise error_of(statement)
    return statement


def _rewritten(accepted: Any, parse: Any) -> Any:
    """Parse also what this module makes of a statement, once the statement itself was accepted."""

    def parsed(command: str) -> Any:
        with suppress(errors.ProgrammingError):
            return accepted(command)
        return parse(command)

    return parsed


def _remembered(transform: Any) -> Any:
    """Translate a statement once per schema: a translation takes some eighty walks over it, most of its cost.

    Only statements whose translation depends on text and schema alone are kept: none with a bound IDENTIFIER, and no
    table that is created from a query or as a clone.
    """
    trees = _Trees()

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
        place = (type(expression), cursor._conn.database, cursor._conn.schema)
        return trees.get(text, place, lambda: transform(cursor, expression.copy(), params))

    return transformed


def _persistent(transform: Any) -> Any:
    """Make temporary tables permanent; find a sequence in its schema, and drop its order, which DuckDB's has anyway."""

    def transformed(cursor: Any, expression: Any, params: Any) -> Any:
        if isinstance(expression, exp.Create):
            for temporary in list(expression.find_all(exp.TemporaryProperty)):
                temporary.pop()
            for sequence in expression.find_all(exp.SequenceProperties):
                sequence.set("options", None)
        for column in list(expression.find_all(exp.Column)):
            if column.name.upper() == "NEXTVAL" and column.db:
                called = exp.Anonymous(this="nextval", expressions=[exp.Literal.string(f"{column.db}.{column.table}")])
                column.replace(exp.alias_(called, "NEXTVAL"))
        return transform(cursor, expression, params)

    return transformed


def _with_nulls(to_struct: Any) -> Any:
    """Keep a NULL instant from becoming the first of January 1970."""

    def converted(instants: Any) -> Any:
        given, whole = (
            to_struct(instants),
            instants.combine_chunks() if isinstance(instants, pa.ChunkedArray) else instants,
        )
        return pa.StructArray.from_arrays(given.flatten(), fields=list(given.type), mask=pc.is_null(whole))

    return converted


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
        counts = [f'{actions.count(each)} AS "{name}"' for each, name in _DONE.items() if each in possible]
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


def _answering(execute: Any) -> Any:
    """Answer with an error of SQL where the server would fail."""

    def executed(cursor: Any, command: str, *arguments: Any, **named: Any) -> Any:
        sys.settrace(None)  # a thread of the server's own, as in _serve
        command = _ABOUT.sub(lambda called: f"'{FACTS[called[0].upper()]}'", command)
        try:
            if zone := _ZONE.fullmatch(command):
                cursor._duck_conn.execute(f"SET TimeZone = {zone[1]}")
            if _OF_ITS_OWN.match(command):
                with suppress(duckdb.TransactionException):  # there was none
                    cursor._duck_conn.execute("COMMIT")
            return execute(cursor, "SELECT 'done'" if _NOT_KNOWN.match(command) else command, *arguments, **named)
        except errors.Error as error:
            if isinstance(error.__cause__, duckdb.Error):
                raise error_of(duckdb_refusals.refusal(error.__cause__, command)) from None
            raise
        except duckdb.TransactionException as error:
            with suppress(duckdb.Error):
                cursor._duck_conn.execute("ROLLBACK")
            raise errors.ProgrammingError(msg=str(error), errno=_CONFLICT, sqlstate="57014") from None
        except duckdb.Error as error:
            raise error_of(duckdb_refusals.refusal(error, command)) from None
        except Exception as error:  # noqa: BLE001 the client must receive every failure of the emulator
            raise error_of(refusals.internal_error(f"{type(error).__name__}: {error}")) from None

    return executed
