"""Pages of a repository's pull requests by GraphQL, and what any way of listing them has to offer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, NoReturn, Protocol

from millrace.errors import RequestRejected
from millrace.extract.graphql import Forbidden, GraphQL, NotFound, PageSize, TooHeavy
from millrace.extract.sources.github.fields import BadAnswer, Connection, Fields
from millrace.extract.sources.github.long_lists import PullRequest, read_to_their_ends, readable
from millrace.extract.sources.github.queries import MOST_IN_A_REQUEST, Queries

LARGEST_PAGE = 50
LARGEST_LIST = 100
NO_RIGHT = 403
MOST_PASSED = 5  # pull requests, or commits, of a delivery that the server cannot show
_NO_TEAMS = "teams that were asked for a review have no name: the token may not read them (read:org, or Members)"

Order = Literal["created", "changed"]
"""By creation, the oldest first; or by the last change, the newest first."""
ORDERS: Mapping[Order, dict[str, object]] = {
    "created": {"field": "CREATED_AT", "direction": "ASC"},
    "changed": {"field": "UPDATED_AT", "direction": "DESC"},
}
"""The orders as variables of a query."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a repository's pull requests.

    `repo_id` and `name` are those of the repository that answered. `total` is the number of its pull requests when the
    page was read, and on the first page `newest` the time of the last change to any of them. `after` None: this was the
    last page. `etag` is that of the newest change, where the server has one.
    """

    repo_id: int
    name: str
    total: int
    newest: datetime | None
    after: str | None
    pulls: list[PullRequest]
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Numbers:
    """One page of the numbers of a repository's pull requests, each with the id by which it is asked for."""

    repo_id: int
    total: int
    after: str | None
    ids: dict[int, str]


class PullRequestListing(Protocol):
    """A way to list pull requests. Raises NotFound and RequestRejected for a repository that is not to be read."""

    plan: str
    """How the tasks are recorded."""
    largest: int
    """The greatest size of a page."""
    remark: str | None
    """What this way of listing lacks."""

    def page(self, name: str, order: Order, after: str | None, size: PageSize) -> Page:
        """Return the page after a cursor, with the lists of its pull requests read to their ends."""

    def numbers(self, name: str, after: str | None) -> Numbers:
        """Return a page of numbers."""

    def chosen(self, name: str, ids: list[str]) -> list[PullRequest]:
        """Return those of the pull requests that still exist."""

    def is_unchanged(self, name: str, etag: str) -> bool:
        """Return whether the newest change is certainly the one with this etag."""


class ByGraphQL:
    """Lists by GraphQL: one request a page, and few more for long lists."""

    plan = "graphql"
    largest = LARGEST_PAGE

    def __init__(self, graphql: GraphQL, queries: Queries) -> None:
        self.remark: str | None = None
        self._graphql = graphql
        self._queries = queries
        self._entries = PageSize(LARGEST_LIST)
        self._passed = 0

    def page(self, name: str, order: Order, after: str | None, size: PageSize) -> Page:
        """Return the page after a cursor; a page that is too heavy is asked for in half its size."""
        while True:
            variables = named(name) | {"first": size.value, "after": after, "isFirst": after is None} | ORDERS[order]
            try:
                answer = self._ask(lambda queries: queries.pull_requests, variables)
                break
            except TooHeavy as error:
                try:
                    size.halve(error)
                except TooHeavy:
                    return self._passed_over(name, order, after, error)
        size.succeeded()
        repository = repository_of(answer, name)
        listed = Connection.of(repository, "pullRequests", after)
        return Page(
            repository.number("databaseId"),
            repository.need("nameWithOwner", str),
            listed.total,
            _newest(repository),
            listed.after,
            self._complete(listed.nodes),
        )

    def _passed_over(self, name: str, order: Order, after: str | None, error: TooHeavy) -> Page:
        """Return a page with the number of a pull request that the server cannot show, so that the next ones follow."""
        self._passed += 1
        if self._passed > MOST_PASSED:  # then it is the server, or the token
            raise error.__cause__ if isinstance(error.__cause__, Forbidden) else error
        variables = named(name) | {"first": 1, "after": after} | ORDERS[order]
        repository = repository_of(self._graphql.ask(self._queries.numbers, variables), name)
        listed = Connection.of(repository, "pullRequests", after)
        pulls = [PullRequest(node, problem=str(error)) for node in listed.nodes if node is not None]
        repo_id, full_name = repository.number("databaseId"), repository.need("nameWithOwner", str)
        return Page(repo_id, full_name, listed.total, None, listed.after, pulls)

    def numbers(self, name: str, after: str | None) -> Numbers:
        """Return a page of a hundred numbers."""
        variables = named(name) | {"first": LARGEST_LIST, "after": after} | ORDERS["created"]
        repository = repository_of(self._graphql.ask(self._queries.numbers, variables), name)
        listed = Connection.of(repository, "pullRequests", after)
        ids = {node.number("number"): node.need("id", str) for node in listed.nodes if node is not None}
        return Numbers(repository.number("databaseId"), listed.total, listed.after, ids)

    def chosen(self, name: str, ids: list[str]) -> list[PullRequest]:
        """Return the pull requests with these node ids, asked for one by one once several were not found."""
        pulls: list[PullRequest] = []
        for i in range(0, len(ids), MOST_IN_A_REQUEST):
            pulls += self._nodes(ids[i : i + MOST_IN_A_REQUEST])
        return pulls

    def is_unchanged(self, name: str, etag: str) -> bool:
        """Return False: GraphQL has no conditional requests, and a page of changes costs hardly more."""
        return False

    def _nodes(self, ids: list[str]) -> list[PullRequest]:
        try:
            answer = Fields(self._ask(lambda queries: queries.chosen, {"ids": ids}), "pull requests by id")
        except (NotFound, TooHeavy):
            if len(ids) > 1:
                middle = len(ids) // 2
                return self._nodes(ids[:middle]) + self._nodes(ids[middle:])
            return []  # it stays missing
        return self._complete(answer.each("nodes"))

    def _ask(self, text_of: Callable[[Queries], str], variables: Mapping[str, object]) -> Mapping[str, object]:
        """Ask; without the names of teams, when the token has no right to something.

        TooHeavy also for what it may not see of an entry of a list: a page without that one can be read.
        """
        try:
            return self._graphql.ask(text_of(self._queries), variables)
        except RequestRejected as error:
            if error.status != NO_RIGHT:
                raise
            if not self._queries.has_teams:
                _refuse(error)
        without = replace(self._queries, has_teams=False)
        try:
            answer = self._graphql.ask(text_of(without), variables)
        except RequestRejected as error:
            _refuse(error)
        self._queries, self.remark = without, _NO_TEAMS
        return answer

    def _complete(self, nodes: list[Fields | None]) -> list[PullRequest]:
        pulls = readable(nodes)
        read_to_their_ends(self._graphql, self._queries, pulls, self._entries)
        return pulls


def _refuse(error: RequestRejected) -> NoReturn:
    """Raise TooHeavy for what the token may not see of one entry of a list, else the error."""
    if isinstance(error, Forbidden) and any(isinstance(part, int) for part in error.path):
        raise TooHeavy(str(error)) from error
    raise error


def _newest(repository: Fields) -> datetime | None:
    """Return the time of the last change; None when it cannot be read: that pull request says so itself."""
    first = repository.child("newest")
    nodes = [] if first is None else [node for node in first.each("nodes") if node is not None]
    try:
        return nodes[0].instant("updatedAt") if nodes else None
    except BadAnswer:
        return None


def named(name: str) -> dict[str, object]:
    """Return a full name as variables of a query."""
    owner, _, short = name.partition("/")
    return {"owner": owner, "name": short}


def repository_of(answer: Mapping[str, object], name: str) -> Fields:
    """Return the repository of an answer; NotFound when it is null."""
    found = Fields(answer, name).child("repository")
    if found is None:
        raise NotFound(f"{name}: the server has no repository of that name, or does not show it to this token")
    return found
