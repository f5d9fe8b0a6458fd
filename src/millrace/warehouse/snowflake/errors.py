"""What an error of Snowflake asks for: a person, the quarantine of a file, or another attempt.

Snowflake gives each error a number and an SQLSTATE. The class of the SQLSTATE decides (its first two characters), for
loads, builds and readers alike.

| SQLSTATE | numbers | error |
|---|---|---|
| 42, 02, 0A, 57P03 | 904, 1003, 2003, 2043, 2120, 3001, 606 | ConfigError: the account, its rights, or our own SQL |
| 22 | 100xxx | BadObject in a load's own statements, TerminalError elsewhere: a value does not fit |
| 22 | others: 90073, 90105 | ConfigError: the account's state, in spite of the class |
| 57014, 08, XX, others | 625, 630, 604, 603, 390xxx | TransientError |
"""

import re

from snowflake.connector.errors import DataError, Error, IntegrityError, NotSupportedError, ProgrammingError

from millrace.errors import BadObject, ConfigError, MillraceError, Step, TerminalError, TransientError, first_line

_CONFLICT = 625  # a lock was held for LOCK_TIMEOUT or, at once, twenty statements wait for it already
_OF_THE_SESSION = range(390000, 391000)  # of the session or its token, whatever class the error has
_OF_A_VALUE = range(100000, 101000)
_OF_A_STATEMENT = (ProgrammingError, IntegrityError, DataError, NotSupportedError)
_WRONG = ("42", "02", "0A", "57P03", "22")
_GUIDE = "see docs/snowflake.md"
_MADE = f"was it made, and is it granted? terraform apply does both for META, a build makes the marts; {_GUIDE}"
_NEXT = {
    606: f"the address names a warehouse: was it made, and is its USAGE granted? {_GUIDE}",
    904: _MADE,
    2003: _MADE,
    2043: _MADE,
    3001: _MADE,
    90073: f"raise snowflake_credits_per_month, or wait for the next month; {_GUIDE}",
}
_OTHERWISE = f"the account refuses the statement: run terraform apply of this version, {_GUIDE}"
_QUOTED = re.compile(r"'[^']*'")


class LockHeld(TransientError):
    """A transaction could not take the write lock: another one holds it, or too many wait for it."""


def to_error(error: Error, is_of_a_file: bool = False, step: Step | None = None) -> MillraceError:
    """Return the error to raise; `is_of_a_file`: the statement reads the rows of a file that is loaded.

    `step` is the next action for an error that passes. The message about a value leaves the value out.
    """
    number, state = error.errno or 0, error.sqlstate or ""
    if number in _OF_THE_SESSION or not isinstance(error, _OF_A_STATEMENT) or not state.startswith(_WRONG):
        kind = LockHeld if number == _CONFLICT else TransientError
        return kind(f"Snowflake: {_with_reason(error)}", step=step)
    if state.startswith("22") and number in _OF_A_VALUE:
        said = _QUOTED.sub("'…'", first_line(error))
        if is_of_a_file:
            return BadObject("unreadable", f"Snowflake cannot store a value of the file: {said}")
        return TerminalError(f"Snowflake: {said}; {_GUIDE}")
    return ConfigError(f"Snowflake: {_with_reason(error)}: {_NEXT.get(number, _OTHERWISE)}")


def _with_reason(error: Error) -> str:
    """Return the first line of a message and, where that only introduces it ("SQL compilation error:"), the second."""
    first, *others = str(error).strip().splitlines() or [""]
    return f"{first} {others[0]}"[:300] if others and not first.endswith(".") else first_line(error)


def is_of_the_session(error: Error) -> bool:
    """Return whether the session cannot be used any more; another one may answer the same statement."""
    return not isinstance(error, _OF_A_STATEMENT) or error.errno in _OF_THE_SESSION
