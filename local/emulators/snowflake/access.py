"""What a role may do: which privileges a statement needs, and what is answered where one is missing.

An object on which the role has no privilege reads as one that does not exist (002003); one on which it has another
privilege is refused with 003001: https://docs.snowflake.com/en/user-guide/security-access-control-privileges and the
sections "Access control requirements" of each statement's page.
"""

import re
from collections.abc import Iterator
from typing import Any

from sqlglot import exp

from emulators.snowflake.administration import full_name
from emulators.snowflake.grants import OWNERSHIP, RELATION, Grants, Securable
from emulators.snowflake.kinds import TEMPORARY, created_kind
from emulators.snowflake.names import TableName, dropped, name_of
from emulators.snowflake.refusals import Refusal, missing_object
from emulators.snowflake.statements import Statement

Place = tuple[str | None, str | None]
"""The database and the schema of a session."""

_STAGE = re.compile(r"@([\w.\"]+)")
_FORMAT = re.compile(r"FORMAT_NAME\s*=\s*'?([\w.]+)", re.IGNORECASE)
_COMMAND = re.compile(r"\s*(PUT|REMOVE|RM|LIST|LS|COPY)\b", re.IGNORECASE)
_WRITES_STAGE = {"PUT", "REMOVE", "RM"}
_MERGES = {exp.Insert: "INSERT", exp.Update: "UPDATE"}


class Access:
    """The privileges of one role in the place of its session."""

    def __init__(self, grants: Grants, role: str, place: Place, duck: Any) -> None:
        self._grants = grants
        self._role = role
        self._place = place
        self._duck = duck

    def refusal(self, statement: Statement) -> Refusal | None:
        """Return why the role may not run a statement; None when it may."""
        if self._role not in self._grants.roles:
            return None
        return next((refusal for refusal in self._refusals(statement) if refusal is not None), None)

    def _refusals(self, statement: Statement) -> Iterator[Refusal | None]:
        tree = statement.tree
        yield from self._of_stages(statement.bare)
        if tree is None:
            return
        for name, privileges in self._changes(tree):
            for privilege in privileges:
                yield self._on_relation(name, privilege)
        if isinstance(tree, exp.Create):
            yield from self._creation(tree)
        for name in self._read(tree):
            yield self._on_relation(name, "SELECT")
        for column in tree.find_all(exp.Column):
            if column.name.upper() == "NEXTVAL" and column.table:
                sequence = TableName(
                    self._place[0] or "", column.db.upper() or self._place[1] or "", column.table.upper()
                )
                yield self._on(Securable("SEQUENCE", str(sequence)), {"USAGE"})

    def _changes(self, tree: exp.Expression) -> Iterator[tuple[TableName, set[str]]]:
        """Yield the tables that a statement changes, and the privileges that it needs for that."""
        if isinstance(tree, exp.Insert):
            yield self._name(tree.this), {"INSERT", "DELETE"} if tree.args.get("overwrite") else {"INSERT"}
        elif isinstance(tree, exp.Copy):
            yield self._name(tree.this), {"INSERT"}
        elif isinstance(tree, exp.Update):
            yield self._name(tree.this), {"UPDATE"}
        elif isinstance(tree, exp.Delete):
            yield self._name(tree.this), {"DELETE"}
        elif isinstance(tree, exp.TruncateTable):
            yield self._name(tree.expressions[0]), {"TRUNCATE"}
        elif isinstance(tree, exp.Merge):
            whens = [when.args["then"] for when in tree.args["whens"].expressions]
            needed = {_MERGES.get(type(then), "DELETE") for then in whens}
            yield self._name(tree.this), needed | {"SELECT"}
        elif isinstance(tree, exp.Drop | exp.Alter) and tree.kind in ("TABLE", "VIEW"):
            named = dropped(tree, *self._place) if isinstance(tree, exp.Drop) else [self._name(tree.this)]
            yield from ((name, {OWNERSHIP}) for name in named if self._exists(name))

    def _creation(self, tree: exp.Create) -> Iterator[Refusal | None]:
        kind = str(tree.kind).upper()
        if kind == "SCHEMA":
            yield self._on(Securable("DATABASE", self._place[0] or ""), {"CREATE SCHEMA"})
        if kind not in ("TABLE", "VIEW"):
            return
        name = self._name(tree.this)
        if tree.args.get("exists") and self._exists(name):
            return
        if kind == "VIEW" or created_kind(tree) != TEMPORARY:  # a temporary table needs no privilege to create tables
            yield self._on(Securable("SCHEMA", f"{name.database}.{name.schema}"), {f"CREATE {kind}"})
        if tree.args.get("replace") and self._exists(name):
            yield self._on_relation(name, OWNERSHIP)

    def _read(self, tree: exp.Expression) -> Iterator[TableName]:
        """Yield the tables and views that a statement reads."""
        if isinstance(tree, exp.Drop | exp.Alter | exp.Command | exp.Describe | exp.Use | exp.TruncateTable):
            return
        changes = isinstance(tree, exp.Create | exp.Insert | exp.Copy | exp.Update | exp.Delete | exp.Merge)
        changed = tree.this.find(exp.Table) if changes and isinstance(tree.this, exp.Expression) else None
        named = {cte.alias_or_name.upper() for cte in tree.find_all(exp.CTE)}
        for table in tree.find_all(exp.Table):
            is_name = isinstance(table.this, exp.Identifier) and not table.name.startswith(("@", "%"))
            if table is changed or not is_name or (not table.db and table.name.upper() in named):
                continue
            name = self._name(table)
            if name.schema != "INFORMATION_SCHEMA" and self._exists(name):
                yield name

    def _of_stages(self, text: str) -> Iterator[Refusal | None]:
        command = _COMMAND.match(text)
        if command is None:
            return
        is_writing = command[1].upper() in _WRITES_STAGE
        for stage in _STAGE.findall(text):
            yield self._on(self._named("STAGE", stage), {"WRITE"} if is_writing else {"READ", "USAGE"})
        for name in _FORMAT.findall(text):
            yield self._on(self._named("FILE FORMAT", name), {"USAGE"})

    def _on_relation(self, name: TableName, privilege: str) -> Refusal | None:
        schema = f"{name.database}.{name.schema}"
        if not self._grants.of(self._role, Securable("SCHEMA", schema)):
            return missing_object("Schema", schema)
        return self._on(Securable(RELATION, str(name)), {privilege})

    def _on(self, securable: Securable, any_of: set[str]) -> Refusal | None:
        has = self._grants.of(self._role, securable)
        if has & (any_of | {OWNERSHIP}):
            return None
        if not has:
            return missing_object("Object" if securable.kind == RELATION else securable.kind.title(), securable.name)
        return insufficient(securable.kind.lower(), securable.name.rpartition(".")[2])

    def _exists(self, name: TableName) -> bool:
        found = self._duck.execute(
            "SELECT 1 FROM information_schema.tables "
            "WHERE upper(table_catalog) = ? AND upper(table_schema) = ? AND upper(table_name) = ?",
            [part.upper() for part in name],
        ).fetchone()
        return found is not None

    def _name(self, table: exp.Expression) -> TableName:
        return name_of(table, *self._place)

    def _named(self, kind: str, text: str) -> Securable:
        return Securable(kind, full_name(text.strip("."), kind, self._place))


def insufficient(kind: str, name: str) -> Refusal:
    """Return the refusal of a statement for which the role lacks a privilege."""
    return Refusal(3001, "42501", f"SQL access control error:\nInsufficient privileges to operate on {kind} '{name}'")
