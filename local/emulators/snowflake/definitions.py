"""Statements that create, change or drop an object, and what the account notes of that: kinds of tables, and grants."""

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from emulators.snowflake import clones, kinds
from emulators.snowflake.grants import RELATION, Securable
from emulators.snowflake.names import TableName, dropped, name_of
from emulators.snowflake.statements import Run, Statement

if TYPE_CHECKING:
    from emulators.snowflake.session import Session

_RELATIONS = ("TABLE", "VIEW")


def define(session: "Session", duck: Any, statement: Statement, run: Run) -> Any:
    """Run a statement that defines an object."""
    tree = statement.tree
    if isinstance(tree, exp.Create) and tree.kind in _RELATIONS:
        return _create(session, duck, tree, statement, run)
    result = run(statement.text)
    grants = session.account.grants
    if isinstance(tree, exp.Drop) and tree.kind in _RELATIONS:
        for name in dropped(tree, *session.place):
            grants.dropped(_securable(name))
    elif isinstance(tree, exp.Alter):
        for renamed in tree.find_all(exp.AlterRename):
            before = name_of(tree.this, *session.place)
            after = name_of(renamed.this, before.database, before.schema)
            grants.renamed(_securable(before), _securable(after))
    elif isinstance(tree, exp.Create):
        _own(session, tree)
    return result


def _create(session: "Session", duck: Any, tree: exp.Create, statement: Statement, run: Run) -> Any:
    """Create a table or view, and note its kind, its owner and its grants."""
    name, grants = name_of(tree.this, *session.place), session.account.grants
    is_there = bool(grants.on(_securable(name))) or kinds.kind_of(duck, name) is not None
    clone = tree.args.get("clone")
    if clone is not None and tree.kind == "TABLE":
        clones.clone(duck, name_of(clone.this, *session.place), name, tree)
        result = run("SELECT 'Table successfully created.' AS \"status\"")
    else:
        result = run(statement.text)
    if is_there and tree.args.get("exists"):
        return result
    if tree.kind == "TABLE":
        kinds.note_kind(duck, kinds.created_kind(tree), name)
    copied = None
    if tree.find(exp.CopyGrantsProperty):  # the replaced table comes before the one that is cloned
        source = name_of(clone.this, *session.place) if clone is not None else name
        copied = _securable(name if is_there else source)
    grants.created(_securable(name), session.role, str(tree.kind), copied)
    return result


def _own(session: "Session", tree: exp.Create) -> None:
    """Note the owner of a schema, stage, sequence or the like."""
    database, schema = session.place
    table = tree.find(exp.Table)
    if table is None:
        return
    kind = str(tree.kind).upper()
    if kind == "SCHEMA":
        full = f"{table.catalog.upper() or database}.{table.db.upper() or table.name.upper()}"
    else:
        full = str(name_of(table, database, schema))
    if not session.account.grants.on(Securable(kind, full)):
        session.account.grants.created(Securable(kind, full), session.role)


def _securable(name: TableName) -> Securable:
    return Securable(RELATION, str(name))
