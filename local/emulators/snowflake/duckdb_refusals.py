"""What Snowflake would answer where DuckDB fails: its number and SQLSTATE instead of DuckDB's words.

An error of DuckDB that Snowflake does not have, or that is not known here, is an internal error (000603, XX000): it is
a fault of the emulator, and no statement is wrong for it.
"""

import re
from collections.abc import Callable

import duckdb

from emulators.snowflake import refusals
from emulators.snowflake.refusals import Refusal

Made = Callable[[re.Match[str], str], Refusal]


def refusal(error: duckdb.Error, sql: str) -> Refusal:
    """Return what Snowflake would answer to the statement that DuckDB could not run."""
    for pattern, made in _KNOWN:
        if found := pattern.search(str(error)):
            return made(found, sql)
    return refusals.internal_error(str(error))


def _column_of(found: re.Match[str], sql: str) -> Refusal:
    column = re.search(rf'\b{re.escape(found[1])}"?\.("?[\w$]+"?)', sql, re.IGNORECASE)
    return refusals.invalid_identifier(f"{found[1]}.{column[1]}" if column else found[1])


def _second_column(found: re.Match[str], sql: str) -> Refusal:
    is_added = re.search(r"\bALTER\s+TABLE\b", sql, re.IGNORECASE)
    return refusals.existing_column(found[1]) if is_added else refusals.duplicate_column(found[1])


def _called(found: re.Match[str], sql: str) -> Refusal:
    return refusals.invalid_argument_types(found[1], found[2])


def _of_another_type(found: re.Match[str], sql: str) -> Refusal:
    return refusals.object_of_type(found[1].upper(), found[2].upper())


def _first(made: Callable[[str], Refusal]) -> Made:
    """Return what names the first group of the pattern."""
    return lambda found, sql: made(found[1])


def _missing(kind: str) -> Made:
    return lambda found, sql: refusals.missing_object(kind, found[1])


def _whole(made: Callable[[], Refusal]) -> Made:
    return lambda found, sql: made()


_KNOWN: tuple[tuple[re.Pattern[str], Made], ...] = tuple(
    (re.compile(pattern), made)
    for pattern, made in (
        (r'Referenced (?:update )?column "?([^"\s]+)"? not found', _first(refusals.invalid_identifier)),
        (r'Table "[^"]+" does not have a column (?:named|with name) "([^"]+)"', _first(refusals.invalid_identifier)),
        (r'Referenced table "([^"]+)" not found', _column_of),
        (r'Ambiguous reference to column name "([^"]+)"', _first(refusals.ambiguous_column)),
        (r'column "([^"]+)" must appear in the GROUP BY', _first(refusals.not_grouped)),
        (r'(?:Table|Scalar|Aggregate) Function with name "?(\w+)"? ', _first(refusals.unknown_function)),
        (r"No function matches the given name and argument types '(.+?)\((.*?)\)'", _called),
        (r'Table with name "[^"]*" does not exist because schema "([^"]+)"', _missing("Schema")),
        (r'Schema with name "?([^"\s]+)"? does not exist', _missing("Schema")),
        (r'Table with name "?([^"\s]+)"? does not exist', _missing("Object")),
        (r'View with name "?([^"\s]+)"? does not exist', _missing("View")),
        (r'Sequence with name "?([^"\s]+)"? does not exist', _missing("Sequence")),
        (r'Column with name "([^"]+)" already exists', _second_column),
        (r'with name "?([^"\s]+)"? already exists', _first(refusals.existing_object)),
        (r'Existing object "[^"]+" is of type (\w+), trying to replace with type (\w+)', _of_another_type),
        (r"Could not convert string ['\"](.*?)['\"] to BOOL", _first(refusals.not_boolean)),
        (r"Could not convert string ['\"](.*?)['\"] to \w", _first(refusals.not_numeric)),
        (r'invalid timestamp field format: "(.*?)"', _first(refusals.not_an_instant)),
        (r'(?:invalid date field format|date field value out of range): "(.*?)"', _first(refusals.not_a_day)),
        (r"Could not cast value (\S+) to DECIMAL", _first(refusals.out_of_range)),
        (r"value (\S+) can't be cast because the value is out of range", _first(refusals.out_of_range)),
        (r"NOT NULL constraint failed", _whole(refusals.null_in_a_column)),
        (
            r"Error: ((?:missing [\])]|unexpected \)|no argument for repetition operator|bad repetition operator"
            r"|invalid [a-z ]+|trailing \\).*)",
            _first(refusals.not_a_pattern),
        ),
        (r"More than one row returned by a subquery", _whole(refusals.several_rows)),
        (r"[Dd]ivision by zero", _whole(refusals.division_by_zero)),
    )
)
