"""What the tasks of one repository share: which repository it is, which errors are its own, and how a reading ends."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from millrace import log
from millrace.errors import RequestRejected, SourceUnavailable, TransientError
from millrace.extract.graphql import PageSize
from millrace.extract.reading import Request, Rows
from millrace.extract.sources.github.fields import BadAnswer
from millrace.extract.sources.github.numbers import packed, unpacked
from millrace.extract.sources.github.rows import Texts
from millrace.extract.sources.github.windows import Found, window_row

_OF_A_REPOSITORY = (403, 404, 409, 451)


class AnotherRepository(RequestRejected):
    """The name now belongs to another repository."""


def named_in_parent(request: Request) -> str:
    """Return the name of the task's repository as the run listed it; TransientError when it is not in the list."""
    repo_id = int(request.partition)
    for row in request.parents(("repo_id", "full_name")):
        if row["repo_id"] == repo_id:
            return str(row["full_name"])
    raise TransientError(f"repository {repo_id} is not in the list of run {request.plan.run_id}; start a new run")


@dataclass
class State:
    """Where the reading of one repository is; the fields of `sets` are packed in a saved state."""

    sets: ClassVar[tuple[str, ...]] = ("seen",)

    scope: str
    name: str
    first_name: str
    after: str | None = None
    size: int | None = None
    total: int = 0
    rows: int = 0
    idle: int = 0
    is_begun: bool = False
    is_reported: bool = False
    refused: str | None = None
    problem: str | None = None  # why reading ended early
    problems: dict[str, str] = field(default_factory=dict)  # what was seen and has no rows
    seen: set[int] = field(default_factory=set)

    def held(self) -> dict[str, Any]:
        """Return it as fields of a JSON object."""
        return asdict(self) | {name: packed(getattr(self, name)) for name in self.sets}

    @classmethod
    def of(cls, held: Mapping[str, Any]) -> Self:
        """Return a saved state; KeyError, TypeError or ValueError when it is damaged."""
        known = {each.name for each in fields(cls)}
        sets = {name: unpacked(held[name]) for name in cls.sets}
        return cls(**{name: value for name, value in held.items() if name in known} | sets)


@contextmanager
def noting_the_end(request: Request, state: State) -> Iterator[None]:
    """Note in the state why one repository cannot be read, or not to its end.

    Raises what concerns all repositories, and what may pass until the reading has made no progress for hours.
    """
    try:
        yield
    except RequestRejected as error:
        state.refused = _refusal(error, state.name)
    except BadAnswer as error:
        state.problem = str(error)
    except SourceUnavailable as error:
        if not request.is_stuck:
            raise
        state.problem = str(error)


def _refusal(error: RequestRejected, name: str) -> str:
    """Return why one repository cannot be read, with the next step; raise an error that concerns all of them.

    That is a refused token (401), and a request that the server does not understand.
    """
    if isinstance(error, AnotherRepository):
        return str(error)
    if error.status == 404:
        return (
            f"{name} was deleted, or this token may not see it; give the token the repository permissions Metadata, "
            f"Contents and Pull requests (read), or remove the repository from the list ({error})"
        )
    if error.status in (*_OF_A_REPOSITORY, None):
        return f"GitHub refused {name}; see what the token may read, and whether single sign-on is authorised ({error})"
    raise error


def note_page(request: Request, name: str, done: int, total: int | None) -> None:
    """Log how far the reading of a repository is, in pull requests or commits, for a person who waits for it.

    `total` is what this reading will reach (None: that is not known before its end).
    """
    stats = request.stats
    log.debug(
        "page read",
        table=request.endpoint.name,
        task_id=f"{request.endpoint.name}__{request.partition}",
        repository=name,
        done=done,
        total=total,
        points=stats.points,
        points_left=stats.points_left,
    )


def require_same(repo_id: int, expected: int, name: str) -> None:
    """Raise AnotherRepository unless the repository that answered is the task's."""
    if repo_id != expected:
        raise AnotherRepository(
            f"{name} is now another repository (id {repo_id}, expected {expected}); "
            "the next run lists the repositories again"
        )


class Marked(Protocol):
    """What the next run has to know of a repository that was read in full."""

    def require(self) -> None:
        """Raise TypeError, ValueError or OverflowError when it is damaged."""


_Listing = TypeVar("_Listing")
_Mark = TypeVar("_Mark", bound=Marked)
_State = TypeVar("_State", bound=State)


class ReadingOfOne(ABC, Generic[_Listing, _Mark, _State]):
    """One reading of what one repository has: its pull requests, or its commits."""

    is_page_saved = True
    what: ClassVar[str]
    """The object of the window."""
    mark_type: type[_Mark]
    state_type: type[_State]

    def __init__(self, request: Request, listing: _Listing, account: str, texts: Texts) -> None:
        self._request = request
        self._listing = listing
        self._account = account
        self._texts = texts
        self._repo_id = int(request.partition)
        self._mark = self._mark_of(request.cursor.marks.get(request.partition) if request.cursor else None)
        self._state = self.state_type.of(request.held) if request.held is not None else self._begun()
        self._size = PageSize(self._largest, self._state.size)

    @property
    def lists(self) -> tuple[int, int | None]:
        """The number of pull requests or commits that were read, and of those that are to be read."""
        return len(self._state.seen), self._state.total if self._state.is_begun else None

    def held(self) -> dict[str, Any]:
        """Return the state after the rows that were yielded so far."""
        self._state.size = self._size.value
        return self._state.held()

    def rows(self) -> Iterator[Rows]:
        """Yield the rows page by page, and at last that of the window."""
        with noting_the_end(self._request, self._state):
            yield from self._read()
        if not self._state.is_reported:
            self._state.is_reported = True
            now, name = self._request.now, self._state.name
            row = window_row(self._account, self.what, self._request.partition, name, self._result(), now)
            yield {"source_windows": [row]}

    def _mark_of(self, held: Mapping[str, Any] | None) -> _Mark | None:
        """Read a mark; None when there is none, or when it is damaged: everything is read then."""
        try:
            mark = None if held is None else self.mark_type(**held)
            if mark is not None:
                mark.require()
            return mark
        except (TypeError, ValueError, OverflowError):
            log.warning("unreadable mark of a repository")
            return None

    def _result(self) -> Found:
        """Return what is known of the repository."""
        state, (read, total) = self._state, self._counts()
        of = total if state.is_begun else None
        if state.refused is not None:
            return Found("refused", read or None, of, state.refused)
        if state.problem is not None:
            return Found("unknown", read or None, of, f"{state.problem}; the next run reads the repository again")
        return self._judged()

    @property
    @abstractmethod
    def _largest(self) -> int:
        """The size of the largest page."""

    @abstractmethod
    def _begun(self) -> _State:
        """Return the state of a reading that begins."""

    @abstractmethod
    def _read(self) -> Iterator[Rows]:
        """Yield the rows from where the state is."""

    @abstractmethod
    def _counts(self) -> tuple[int, int]:
        """Return how many are known, and how many the source reports."""

    @abstractmethod
    def _judged(self) -> Found:
        """Return what is known after a reading to its end."""
