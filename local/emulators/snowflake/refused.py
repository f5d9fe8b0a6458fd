"""The error that carries a refusal to the client."""

from snowflake.connector import errors

from emulators.snowflake.refusals import Refusal


def error_of(refusal: Refusal) -> errors.ProgrammingError:
    """Return the error that fakesnow's server answers with this number, SQLSTATE and wording."""
    return errors.ProgrammingError(
        msg=refusal.message, errno=refusal.errno, sqlstate=refusal.sqlstate, done_format_msg=True
    )
