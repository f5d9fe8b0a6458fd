"""HTTP responses of a function to the platform when an event cannot be handled."""

from collections.abc import Iterator
from contextlib import contextmanager

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from millrace import log
from millrace.bus.events import NotAnEvent
from millrace.errors import MillraceError, TransientError, first_line
from millrace.terminal import printable


@contextmanager
def answering(function: str) -> Iterator[None]:
    """Turn this project's errors into HTTP responses that make the platform retry.

    NotAnEvent is 400, TransientError and a failure of the machine are 503, other errors are 500. None of them
    acknowledges the message: it is delivered again, and becomes a dead letter if the cause remains. The body is the
    error's message; that of an error of other code, which may quote a row, is only in the log.
    """
    try:
        yield
    except NotAnEvent as error:
        log.warning("not an event", function=function, error=str(error))
        raise _answer(400, error) from error
    except TransientError as error:
        log.warning("to be repeated", function=function, error=str(error))
        raise _answer(503, error) from error
    except MillraceError as error:
        log.error("failed", function=function, kind=type(error).__name__, error=str(error))
        raise _answer(500, error) from error
    except (OSError, MemoryError) as error:
        log.error("the machine failed", function=function, error=str(error))
        said = getattr(error, "strerror", None) or first_line(error)
        raise _answer(503, TransientError(f"{said}; fix that, then run again")) from error
    except HTTPException:  # an answer already
        raise
    except Exception as error:
        log.unforeseen(function, error, first_line(error))
        raise _answer(
            500, MillraceError(f"{function} failed unforeseen ({type(error).__name__}); see the log")
        ) from error


def _answer(status: int, error: MillraceError) -> HTTPException:
    return HTTPException(response=Response(printable(error), status, mimetype="text/plain"))
