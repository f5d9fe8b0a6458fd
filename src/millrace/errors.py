"""The errors that this project raises on purpose.

MillraceError
    ConfigError        the deployment or the command line is wrong: nothing was started
    TransientError     a later attempt may succeed: the event is delivered again
        SourceUnavailable   the source API did not give an answer within its retries
    TerminalError      wrong until somebody changes something
        SourceRefused       the source API answered, and said no (key, permission, parameter)
            RouteMissing        it has no such route: another plan may do
        ContractBroken      the source API answered something its contract does not know
        Incomplete          the source has rows that could not be obtained
        BadObject           an object in the lake cannot be loaded: it goes to quarantine

What only one module's callers meet is defined there: ObjectMissing and ObjectExists (lake), NotAnEvent (bus.events),
Fenced (warehouse), LeaseLost (builds).

A message says what is, what was expected, and where to look. What to do next depends on where it is read: an error
carries it as a `Step`, and status/remedies.py has the words for a laptop and for a deployment.
"""

import errno
import re
from enum import StrEnum

# What a system call says because of what a file holds: a place in it that cannot be. Everything else is the machine's.
_OF_THE_CONTENT = frozenset({None, errno.EINVAL, errno.EOVERFLOW, errno.EFBIG, errno.EILSEQ})
_OF_THE_MACHINE = re.compile(
    r"\b(bad.alloc\w*|malloc|cannot allocate|failed to allocate|allocation (error|failed)|out of memory|input/output|"
    r"no space|quota|read-only|writ(e|ing)|lock|f?sync|temporary|too many open|permission|start new thread|stale)\b",
    re.IGNORECASE,
)
# By name: what defines them is heavy, and not everywhere installed. RuntimeError: a thread could not be started.
_MAY_BE_EITHER = {"OSError", "ArrowException", "IOException", "OutOfMemoryException", "RuntimeError"}


class Step(StrEnum):
    """What a person can do next; status/remedies.py has a text of each for every place."""

    BEGIN = "begin"  # nothing was built yet
    RUN = "run"
    FULL_REFRESH = "full_refresh"  # every row is read again
    FIX_THEN_RUN = "fix_then_run"
    END_RUN = "end_run"
    BUILD = "build"
    RETRY_BUILD = "retry_build"  # the last one failed
    REBUILD = "rebuild"  # also when nothing new was loaded
    COLLECT = "collect"
    KEEP_COLLECTING = "keep_collecting"
    SEE_QUARANTINE = "see_quarantine"
    ADD_PRICE = "add_price"
    MAP_PROJECT = "map_project"
    MAP_USER = "map_user"
    INSTALL = "install"
    FIX_STORE = "fix_store"
    WAIT = "wait"
    TRY_AGAIN = "try_again"
    REMOVE = "remove"  # an object of the lake, so that it is made anew
    RESTORE = "restore"  # make the warehouse anew from the lake


class MillraceError(Exception):
    """Anything that went wrong in a way this project knows; `step` is what to do next, where one is known."""

    def __init__(self, *what: object, step: Step | None = None) -> None:
        super().__init__(*what)
        self.step = step


class ConfigError(MillraceError):
    """A setting or an option is missing or wrong."""


class TransientError(MillraceError):
    """A later attempt may succeed."""


class SourceUnavailable(TransientError):
    """The source API gave no usable answer within the permitted retries."""


class TerminalError(MillraceError):
    """Repeating the attempt gives the same result."""


class SourceRefused(TerminalError):
    """The source API refused the request."""


class RouteMissing(SourceRefused):
    """The source API does not have the route."""


class ContractBroken(TerminalError):
    """The source API's answer has another shape than its contract."""


class Incomplete(TerminalError):
    """The source says that it has rows which it did not give."""


class BadObject(TerminalError):
    """An object cannot be loaded as it is; `reason` is one short word for grouping."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def first_line(error: Exception) -> str:
    """Return the first line of a library's message, at most 300 characters; the error's type when it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def is_of_the_machine(error: BaseException) -> bool:
    """Return whether an error that came while a file was read says nothing of the file: memory, disk or handles failed.

    The one place that decides it, for Python, Arrow and DuckDB: what is the machine's is tried again, and never noted.
    """
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError) and error.errno not in _OF_THE_CONTENT:
        return True
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & _MAY_BE_EITHER) and _OF_THE_MACHINE.search(str(error)) is not None


def unreadable(error: Exception, what: str) -> TransientError | BadObject:
    """Return what an error comes to while a file was read: the machine's fault, or `what` with the error's message."""
    if is_of_the_machine(error):
        return TransientError(
            f"the machine failed while a file was read: {first_line(error)}; mend that, then run again"
        )
    return BadObject("unreadable", f"{what}: {first_line(error)}")
