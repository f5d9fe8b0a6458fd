"""The errors that this project raises on purpose.

MillraceError
    ConfigError        the deployment or the command line is wrong: nothing was started
    TransientError     a later attempt may succeed: the event is delivered again
        SourceUnavailable   the source API returned no usable answer within its retries
    TerminalError      a retry fails again until the cause is fixed
        RequestRejected     the source API rejected the request (key, permission, parameter)
            RouteNotFound       the source API does not have the route: another plan may work
        UnexpectedResponse  the source API's answer does not match its contract
        Incomplete          the source has rows that could not be read
        BadObject           an object in the lake cannot be loaded: it goes to quarantine

Errors that concern the callers of one module only are defined there: ObjectMissing and ObjectExists (lake), NotAnEvent
(bus.events), Fenced (warehouse), LeaseLost (build.lease).

A message contains the actual value, the expected one, and the place to check. The next action depends on where the
message is read: an error carries it as a `Step`, and status/remedies.py has its texts for a laptop and a deployment.
"""

import errno
import re
from enum import StrEnum

# Errors of a system call that a file's content can cause: an impossible position in it. All others are the machine's.
_OF_THE_CONTENT = frozenset({None, errno.EINVAL, errno.EOVERFLOW, errno.EFBIG, errno.EILSEQ})
_OF_THE_MACHINE = re.compile(
    r"\b(bad.alloc\w*|malloc|cannot allocate|failed to allocate|allocation (error|failed)|out of memory|input/output|"
    r"no space|quota|read-only|writ(e|ing)|lock|f?sync|temporary|too many open|permission|start new thread|stale)\b",
    re.IGNORECASE,
)
# By name: the libraries that define them are large and not always installed. RuntimeError: no thread could be started.
_DAMAGE = re.compile(r"corrupt database|could not read enough bytes|serialization error", re.IGNORECASE)
_MAY_BE_EITHER = {"OSError", "ArrowException", "IOException", "OutOfMemoryException", "RuntimeError"}


class Step(StrEnum):
    """The next action for a person; status/remedies.py has a text of each for every place."""

    BEGIN = "begin"  # nothing was built yet
    RUN = "run"
    FULL_REFRESH = "full_refresh"  # every row is read again
    FIX_THEN_RUN = "fix_then_run"
    END_RUN = "end_run"
    BUILD = "build"
    RETRY_BUILD = "retry_build"  # the last one failed
    REBUILD = "rebuild"  # also when nothing new was loaded
    CONNECT = "connect"  # a source of pull requests
    COLLECT = "collect"
    KEEP_COLLECTING = "keep_collecting"
    COMPLETE_SOURCE = "complete_source"  # give the right that is missing, or leave the repository out
    SEE_QUARANTINE = "see_quarantine"
    ADD_PRICE = "add_price"
    MAP_PROJECT = "map_project"
    MAP_USER = "map_user"
    SEE_MAPS = "see_maps"
    SEE_PRICES = "see_prices"
    INSTALL = "install"
    FIX_STORE = "fix_store"
    WAIT = "wait"
    TRY_AGAIN = "try_again"
    REMOVE = "remove"  # an object of the lake, so that it is written again
    RESTORE = "restore"  # rebuild the warehouse from the lake


class MillraceError(Exception):
    """The base of this project's errors; `step` is the next action, where one is known."""

    def __init__(self, *what: object, step: Step | None = None) -> None:
        super().__init__(*what)
        self.step = step


class ConfigError(MillraceError):
    """A setting or an option is missing or wrong."""


class TransientError(MillraceError):
    """A later attempt may succeed."""


class SourceUnavailable(TransientError):
    """The source API returned no usable answer within the permitted retries."""


class TerminalError(MillraceError):
    """Repeating the attempt gives the same result."""


class RequestRejected(TerminalError):
    """The source API refused the request; `status` is the HTTP status, where it was one."""

    def __init__(self, *what: object, step: Step | None = None, status: int | None = None) -> None:
        super().__init__(*what, step=step)
        self.status = status


class RouteNotFound(RequestRejected):
    """The source API does not have the route."""


class UnexpectedResponse(TerminalError):
    """The source API's answer has another shape than its contract."""


# Earlier names of these classes: records of failures in the lake and older logs have them as `kind`.
SourceRefused, RouteMissing, ContractBroken = RequestRejected, RouteNotFound, UnexpectedResponse


class Incomplete(TerminalError):
    """The source reports more rows than it returned."""


class BadObject(TerminalError):
    """An object cannot be loaded as it is; `reason` is one short word for grouping."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def first_line(error: Exception) -> str:
    """Return the first line of a library's message, at most 300 characters; the error's type when it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def says_damage(text: str) -> bool:
    """Return whether a message of DuckDB says that a database file is cut, or has other bytes than were written."""
    return _DAMAGE.search(text) is not None


def is_of_the_machine(error: BaseException) -> bool:
    """Return whether an error during the reading of a file is the machine's (memory, disk, handles), not the file's.

    This function alone decides it, for Python, Arrow and DuckDB. An error of the machine is retried and never recorded.
    """
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError) and error.errno not in _OF_THE_CONTENT:
        return True
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & _MAY_BE_EITHER) and _OF_THE_MACHINE.search(str(error)) is not None


def unreadable(error: Exception, what: str) -> TransientError | BadObject:
    """Return the error to raise when a file cannot be read: the machine's fault, or `what` with the error's message."""
    if is_of_the_machine(error):
        return TransientError(
            f"the machine failed while a file was read: {first_line(error)}; fix that, then run again"
        )
    return BadObject("unreadable", f"{what}: {first_line(error)}")
