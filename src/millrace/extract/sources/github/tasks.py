"""What the tasks of one repository share: which repository it is, and which errors are its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from millrace import log
from millrace.errors import RequestRejected, SourceUnavailable, TransientError
from millrace.extract.reading import Request
from millrace.extract.sources.github.fields import BadAnswer

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


class Ended(Protocol):
    """The state of a reading: the name of its repository, and why it was refused or ended early."""

    name: str
    refused: str | None
    problem: str | None


@contextmanager
def noting_the_end(request: Request, state: Ended) -> Iterator[None]:
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
