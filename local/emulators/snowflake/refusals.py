"""What Snowflake answers to a statement that it refuses: number, SQLSTATE and wording, as public error reports show."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """One answer of Snowflake instead of a result."""

    errno: int
    sqlstate: str
    message: str


def _compilation(errno: int, sqlstate: str, text: str) -> Refusal:
    return Refusal(errno, sqlstate, f"SQL compilation error:\n{text}")


def syntax_error(unexpected: str, line: int = 1, position: int = 0) -> Refusal:
    """Return the refusal of a statement that the grammar does not have."""
    return _compilation(1003, "42000", f"syntax error line {line} at position {position} unexpected '{unexpected}'.")


def unknown_function(name: str) -> Refusal:
    """Return the refusal of a function that does not exist."""
    return _compilation(2140, "42601", f"Unknown function {name.upper()}")


def invalid_identifier(name: str) -> Refusal:
    """Return the refusal of a column that no table of the statement has."""
    return _compilation(904, "42000", f"error line 1 at position 0\ninvalid identifier '{name.upper()}'")


def missing_object(kind: str, name: str) -> Refusal:
    """Return the refusal of an object that does not exist; `kind` is "Table", "Schema", "Object" and the like."""
    # Reports show 42S02 for tables and views ("Object" in a query), and 02000 for all that holds or serves them.
    state = "42S02" if kind in ("Table", "View", "Object") else "02000"
    return _compilation(2003, state, f"{kind} '{name}' does not exist or not authorized.")


def missing_or_forbidden(name: str) -> Refusal:
    """Return the refusal of DDL about an object that does not exist or that it may not do."""
    return _compilation(2043, "02000", f"Object does not exist, or operation cannot be performed.\n{name}")


def existing_object(name: str) -> Refusal:
    """Return the refusal to create an object whose name is taken."""
    return _compilation(2002, "42710", f"Object '{name.upper()}' already exists.")


def duplicate_column(name: str) -> Refusal:
    """Return the refusal of a table or view with two columns of one name."""
    return _compilation(2025, "42S21", f"duplicate column name '{name}'")


def ambiguous_column(name: str) -> Refusal:
    """Return the refusal of a column that several tables of the statement have."""
    return _compilation(2028, "42601", f"ambiguous column name '{name.upper()}'")


def unsupported_subquery() -> Refusal:
    """Return the refusal of a subquery where Snowflake cannot evaluate one."""
    return _compilation(2031, "42601", "Unsupported subquery type cannot be evaluated")


def not_grouped(expression: str) -> Refusal:
    """Return the refusal of a column that is neither grouped nor within an aggregate."""
    return _compilation(979, "42601", f"[{expression}] is not a valid group by expression")


def invalid_argument_types(function: str, types: str) -> Refusal:
    """Return the refusal of a call whose arguments have types that the function does not take."""
    text = f"error line 1 at position 0\nInvalid argument types for function '{function.upper()}': ({types})"
    return _compilation(1044, "42P13", text)


def not_numeric(value: str) -> Refusal:
    """Return the refusal of a text that is no number."""
    return Refusal(100038, "22018", f"Numeric value '{value}' is not recognized")


def not_an_instant(value: str) -> Refusal:
    """Return the refusal of a text that is no timestamp."""
    return Refusal(100035, "22007", f"Timestamp '{value}' is not recognized")


def not_a_day(value: str) -> Refusal:
    """Return the refusal of a text that is no date."""
    return Refusal(100040, "22007", f"Date '{value}' is not recognized")


def not_a_pattern(reason: str) -> Refusal:
    """Return the refusal of a text that is no regular expression; DuckDB does not say which."""
    return Refusal(100048, "2201B", f"Invalid regular expression: {reason}")


def not_boolean(value: str) -> Refusal:
    """Return the refusal of a text that is no boolean."""
    return Refusal(100037, "22018", f"Boolean value '{value}' is not recognized")


def division_by_zero() -> Refusal:
    """Return the refusal to divide by zero."""
    return Refusal(100051, "22012", "Division by zero")


def statement_count(count: int) -> Refusal:
    """Return the refusal of a text that is not one statement."""
    return Refusal(8, "0A000", f"Actual statement count {count} did not match the desired statement count 1.")


def duplicate_alias(name: str) -> Refusal:
    """Return the refusal of two sources of one query with one name."""
    return _compilation(2027, "42601", f"duplicate alias '{name}'")


def parquet_options(missing: set[str]) -> Refusal:
    """Return the refusal of a COPY of Parquet that leaves its scanner to the account: a rule of this project."""
    return _compilation(1003, "42000", f"FILE_FORMAT = (TYPE = PARQUET ...) must state {', '.join(sorted(missing))}")


def existing_column(name: str) -> Refusal:
    """Return the refusal to add a column that the table has."""
    return _compilation(1430, "42601", f"column '{name}' already exists")


def object_of_type(found: str, asked: str) -> Refusal:
    """Return the refusal to use an object as one of another type."""
    return _compilation(2203, "02000", f"Object found is of type '{found}', not specified type '{asked}'.")


def out_of_range(value: str) -> Refusal:
    """Return the refusal of a number that does not fit its type."""
    return Refusal(100039, "22003", f"Numeric value '{value}' is out of range")


def null_in_a_column() -> Refusal:
    """Return the refusal of NULL in a column that is NOT NULL."""
    return Refusal(100072, "22000", "NULL result in a non-nullable column")


def several_rows() -> Refusal:
    """Return the refusal of a scalar subquery that has several rows."""
    return Refusal(90150, "22000", "Single-row subquery returns more than one row.")


def internal_error(reason: str) -> Refusal:
    """Return what Snowflake answers to a fault of its own; here, of the emulator."""
    return Refusal(603, "XX000", f"SQL execution internal error: {reason}")
