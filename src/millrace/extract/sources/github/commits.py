"""The reading of the commits of a repository's default branch.

All pages of a reading begin at one head, so that a push meanwhile moves none, and the number of different commits has
to be the number that this head reaches.

*changes* reads the commits whose *committer date* is not older than the last reading's newest one less fourteen days.
A branch that lived longer brings older commits when it is merged. So the numbers at both heads are compared, in all and
within these days: where they have not grown by the same number, the history is read in full at once. A history that was
rewritten to the same number of older commits is found by the weekly full reading.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from millrace import log
from millrace.arrow import parse_instant
from millrace.extract.graphql import GraphQL, PageSize, TooHeavy
from millrace.extract.reading import Outcome, Row, Rows
from millrace.extract.sources.github.fields import BadAnswer, Connection, Fields, idle_pages
from millrace.extract.sources.github.listing import LARGEST_LIST, MOST_PASSED, named, repository_of
from millrace.extract.sources.github.queries import Queries
from millrace.extract.sources.github.rows import Place, commit_row, identities, misfit
from millrace.extract.sources.github.tasks import ReadingOfOne, State, named_in_parent, note_page, require_same
from millrace.extract.sources.github.windows import Found

OBJECT = "commits"
_OVERLAP = timedelta(days=14)
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)  # no commit of git is older
_MOST_HEADS = 3  # of one reading
_SHOWN = 5  # commits in a reason
_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Counts:
    """The commits that a head reaches: all of them, and those since the time that was asked for."""

    all: int
    since: int


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a default branch (None: the repository is empty), and the same numbers at an earlier head.

    `then` None: the server does not have that commit any more.
    """

    repo_id: int
    name: str
    sha: str | None
    now: Counts
    then: Counts | None


@dataclass(frozen=True, slots=True)
class CommitPage:
    """One page of the commits that a head reaches, and how many there are.

    `problem`: the server cannot show these commits, and says why.
    """

    repo_id: int
    name: str
    total: int
    after: str | None
    commits: list[Fields]
    problem: str | None = None


class CommitListing(Protocol):
    """A way to list commits. Raises NotFound and RequestRejected for a repository that is not to be read."""

    plan: str

    def head(self, name: str, since: str | None, then: str | None) -> Head:
        """Return the head of the default branch; `then` is an earlier one."""

    def page(self, name: str, head: str, since: str | None, after: str | None, size: PageSize) -> CommitPage | None:
        """Return the page after a cursor; None when the head is gone."""


class CommitsByGraphQL:
    """Lists by GraphQL."""

    plan = "graphql"

    def __init__(self, graphql: GraphQL, queries: Queries) -> None:
        self._graphql = graphql
        self._queries = queries
        self._passed = 0

    def head(self, name: str, since: str | None, then: str | None) -> Head:
        """Return the head of the default branch, with the numbers at `then`."""
        variables = named(name) | {"since": since, "then": then, "isLater": then is not None}
        repository = repository_of(self._graphql.ask(self._queries.default_branch, variables), name)
        branch = repository.child("defaultBranchRef")
        target = None if branch is None else branch.child("target")
        earlier = repository.child("then")
        return Head(
            repository.number("databaseId"),
            repository.need("nameWithOwner", str),
            None if target is None else target.need("oid", str),
            Counts(0, 0) if target is None else _counts(target),
            None if earlier is None else _counts(earlier),
        )

    def page(self, name: str, head: str, since: str | None, after: str | None, size: PageSize) -> CommitPage | None:
        """Return the page after a cursor; a page that is too heavy is asked for in half its size."""
        variables = named(name) | {"head": head, "since": since, "after": after}
        query, problem = self._queries.history, None
        while True:
            try:
                answer = self._graphql.ask(query, variables | {"first": 1 if problem else size.value})
                break
            except TooHeavy as error:
                if problem is not None:
                    raise
                try:
                    size.halve(error)
                except TooHeavy:
                    query, problem = self._queries.history_of_names, str(error)
                    self._passed += 1
                    if self._passed > MOST_PASSED:
                        raise
        if problem is None:
            size.succeeded()
        repository = repository_of(answer, name)
        commit = repository.child("object")
        if commit is None:
            return None
        listed = Connection.of(commit, "history", after)
        return CommitPage(
            repository.number("databaseId"),
            repository.need("nameWithOwner", str),
            listed.total,
            listed.after,
            [node for node in listed.nodes if node is not None],
            problem,
        )


@dataclass(frozen=True, slots=True)
class Mark:
    """The head of a reading that was complete, the number of its commits, and the newest committer date."""

    head: str
    count: int
    committed_at: str

    def since(self, now: datetime) -> datetime:
        """Return from when commits are read again; a committer's clock may have been ahead."""
        return min(parse_instant(self.committed_at), now) - _OVERLAP

    def require(self) -> None:
        """Raise TypeError, ValueError or OverflowError when it is damaged."""
        if not isinstance(self.head, str) or type(self.count) is not int:
            raise ValueError(self)
        self.since(parse_instant(self.committed_at))


@dataclass
class _State(State):
    """Where a reading is; `seen` has 56 bits of a hash of each commit's name."""

    since: str | None = None
    head: str | None = None
    heads: int = 0
    all: int = 0
    newest: str | None = None
    is_over: bool = False


class CommitReading(ReadingOfOne[CommitListing, Mark, _State]):
    """One reading of the default branch of one repository."""

    what = OBJECT
    mark_type = Mark
    state_type = _State

    def outcome(self) -> Outcome:
        """Return what was found; there is a mark only when every commit is here."""
        state, found = self._state, self._result()
        read = len(state.seen) - len(state.problems)
        count = state.all if found.is_settled else read
        is_marked = found.is_settled and state.head is not None and state.newest is not None
        return Outcome(
            plan=f"{self._listing.plan} {state.scope}",
            source_total=count,
            known=count - read,
            repeated=state.rows - read,
            totals={"github_commits": count},
            mark=asdict(Mark(str(state.head), state.all, str(state.newest))) if is_marked else None,
        )

    @property
    def _largest(self) -> int:
        return LARGEST_LIST

    def _begun(self) -> _State:
        plan, scope, name, since = self._request.plan, self._request.plan.scope, named_in_parent(self._request), None
        if scope == "changes" and self._mark is None:
            scope = "full"
        if scope == "changes" and self._mark is not None:
            since = max(self._mark.since(self._request.now), _FIRST).strftime(_FORMAT)
        elif scope == "recent":
            since = (self._request.now - timedelta(days=plan.first_days)).strftime(_FORMAT)
        return _State(scope, name, name, since=since)

    def _read(self) -> Iterator[Rows]:
        while not (self._state.is_over or self._state.refused or self._state.problem):
            if not self._state.is_begun:
                self._begin()
            else:
                yield self._page()

    def _begin(self) -> None:
        """Ask for the head, and decide from the numbers whether the days since then are enough."""
        state, mark = self._state, self._mark
        is_later = state.scope == "changes" and mark is not None
        head = self._listing.head(state.name, state.since, mark.head if is_later and mark else None)
        require_same(head.repo_id, self._repo_id, state.name)
        state.name = head.name
        if state.scope == "changes" and not _is_grown_within(head):
            log.info("older commits were added, reading in full", repository=state.name)
            state.scope, state.since = "full", None
        is_all = state.since is None
        state.head, state.all, state.total = head.sha, head.now.all, head.now.all if is_all else head.now.since
        state.seen, state.after, state.is_begun, state.heads = set(), None, True, state.heads + 1
        state.problems = {}
        is_known = state.scope == "changes" and mark is not None and head.sha == mark.head
        if is_known and mark is not None:
            state.newest, state.total = mark.committed_at, 0
        state.is_over = state.total == 0

    def _page(self) -> Rows:
        state = self._state
        page = self._listing.page(state.name, str(state.head), state.since, state.after, self._size)
        if page is None:
            if state.heads >= _MOST_HEADS:
                state.is_over = True
            state.is_begun = False
            return {}
        require_same(page.repo_id, self._repo_id, state.name)
        state.name, state.total, state.after = page.name, page.total, page.after
        state.is_over = page.after is None
        place = Place(self._account, self._repo_id, state.name, self._texts)
        rows, good, before = {}, [], len(state.seen)
        for commit, row in _rows_of(place, page.commits, page.problem):
            sha = commit.need("oid", str)
            is_new = _short(sha) not in state.seen
            state.seen.add(_short(sha))
            if not isinstance(row, str):
                state.problems.pop(sha, None)
                rows[sha] = row
                good.append(commit)
            elif is_new:
                state.problems[sha] = row
        state.rows += len(rows)
        times = [*([state.newest] if state.newest else []), *(row["committed_at"] for row in rows.values())]
        state.newest = max(times, key=parse_instant, default=None)
        note_page(self._request, state.name, len(state.seen), state.total)
        if not state.is_over:
            state.idle = idle_pages(state.idle, len(state.seen) > before, state.name)
        return {"github_commits": list(rows.values()), "identities": identities(place, good, "commit")}

    def _counts(self) -> tuple[int, int]:
        return len(self._state.seen), self._state.all

    def _judged(self) -> Found:
        state = self._state
        read = len(state.seen)
        if state.problems and state.scope != "recent":
            shown = ", ".join(f"{sha[:12]} ({text})" for sha, text in list(state.problems.items())[:_SHOWN])
            more = f" and {len(state.problems) - _SHOWN} more" if len(state.problems) > _SHOWN else ""
            reason = f"not all: {shown}{more} cannot be read"
            return Found("unknown", state.all - state.total + read - len(state.problems), state.all, reason)
        is_every_one = state.is_over and state.is_begun and read == state.total
        if is_every_one and (state.scope == "changes" or state.total == state.all):
            before = f"known here as {state.first_name} before" if state.name != state.first_name else None
            return Found.of_counts(state.all, state.all, before if state.head else "the repository is empty")
        if is_every_one and state.scope == "recent":
            days = self._request.plan.first_days
            reason = f"the commits of the last {days} days are here; the full reading follows"
            return Found("provisional", read, state.all, reason)
        reason = f"GitHub reports {state.total} commits, and {read} could be read; the next run reads them again"
        return Found("unknown", read, state.all, reason)


def _rows_of(place: Place, commits: list[Fields], problem: str | None) -> Iterator[tuple[Fields, Row | str]]:
    """Yield the row of each commit, or why it cannot be stored."""
    made: list[tuple[Fields, Row | str]] = []
    for commit in commits:
        try:
            made.append((commit, problem or commit_row(place, commit)))
        except BadAnswer as error:
            made.append((commit, str(error)))
    fit = misfit({"github_commits": [row for _, row in made if not isinstance(row, str)]}) is None
    for commit, row in made:
        yield commit, row if fit or isinstance(row, str) else misfit({"github_commits": [row]}) or row


def _is_grown_within(head: Head) -> bool:
    """Return whether all commits that were added since the last reading are within the days that are read again."""
    then = head.then
    return then is not None and head.now.all - then.all == head.now.since - then.since


def _short(sha: str) -> int:
    return int.from_bytes(hashlib.blake2b(sha.encode("utf-8", "surrogatepass"), digest_size=7).digest())


def _counts(commit: Fields) -> Counts:
    counts = Counts(commit.needed("all").count("totalCount"), commit.needed("since").count("totalCount"))
    if counts.all < max(counts.since, 1):  # the head itself is one
        raise BadAnswer(f"{commit.place}: expected the number of commits, got {counts.all}")
    return counts
