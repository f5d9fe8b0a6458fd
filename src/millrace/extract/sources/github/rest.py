"""Listings by REST, for servers without GraphQL: a list, and for each pull request its own, its reviews and commits.

GitHub gives at most 250 commits of a pull request; of one with more the reading says so. It has no totals: the number
of a list is the number of its last page at one entry a page.
"""

from collections.abc import Iterator, Mapping
from urllib.parse import quote

from millrace.errors import RequestRejected, RouteNotFound
from millrace.extract.answers import SourceResponse
from millrace.extract.graphql import PageSize
from millrace.extract.http_client import SourceClient
from millrace.extract.sources.github import shapes
from millrace.extract.sources.github.commits import CommitPage, Counts, Head
from millrace.extract.sources.github.credentials import App
from millrace.extract.sources.github.fields import BadAnswer, Fields
from millrace.extract.sources.github.listing import LARGEST_LIST, Numbers, Order, Page
from millrace.extract.sources.github.long_lists import PullRequest
from millrace.extract.sources.github.repositories import RepositoryPage, no_account, why_hidden

PLAN = "rest"
_LARGEST_PAGE = 10  # pull requests, each with three requests
_MOST_PAGES = 1000  # of the reviews, or the commits, of one pull request
_EMPTY = 409
_NO_SUCH_COMMIT = (404, 422)
_NOT_SHOWN = (403, 404)
_Parameters = Mapping[str, str | int]


class Rest:
    """The REST routes of a server; `prefix` is their path below the client's address."""

    def __init__(self, client: SourceClient, prefix: str) -> None:
        self.client = client
        self._prefix = prefix

    def get(self, path: str, parameters: _Parameters | None = None, etag: str | None = None) -> SourceResponse:
        """Return the answer to a route."""
        return self.client.get(self._prefix + path, parameters, etag)

    def page(self, path: str, parameters: _Parameters, after: str | None) -> tuple[list[Fields], str | None]:
        """Return the objects of a page, and the address of the next one."""
        answer = self.get(path, parameters) if after is None else self.client.get(after)
        return _objects(answer.body, path), answer.next_path

    def each(self, path: str) -> Iterator[Fields]:
        """Yield the objects of all pages."""
        after: str | None = None
        for _ in range(_MOST_PAGES):
            found, after = self.page(path, {"per_page": LARGEST_LIST}, after)
            yield from found
            if after is None:
                return
        raise BadAnswer(f"{path}: expected an end of the list, got more than {_MOST_PAGES} pages")

    def one(self, path: str) -> Fields:
        """Return the object of a route."""
        return Fields.of(self.get(path).body, path)

    def first_and_count(self, path: str, parameters: _Parameters, etag: str | None = None) -> "First":
        """Return the first object of a list, and the number of all."""
        answer = self.get(path, {**parameters, "per_page": 1}, etag)
        if answer.status == 304:
            return First(None, 0, etag, is_same=True)
        found = _objects(answer.body, path)
        count = len(found) if answer.last_page is None else answer.last_page
        return First(found[0] if found else None, count, answer.etag)


class First:
    """The first object of a list (None: it is empty), and the number of all. `is_same`: unchanged since the etag."""

    def __init__(self, entry: Fields | None, count: int, etag: str | None, is_same: bool = False) -> None:
        self.entry, self.count, self.etag, self.is_same = entry, count, etag, is_same


class PullRequestsByRest:
    """Lists pull requests by REST."""

    plan = PLAN
    largest = _LARGEST_PAGE
    remark: str | None = "read by REST, which has no events and no sizes of commits"

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def page(self, name: str, order: Order, after: str | None, size: PageSize) -> Page:
        """Return the page after a cursor."""
        path = f"{_path(name)}/pulls"
        by: _Parameters = (
            {"sort": "created", "direction": "asc"} if order == "created" else {"sort": "updated", "direction": "desc"}
        )
        try:
            newest = self._newest(name)
            listed, next_path = self._rest.page(path, {"state": "all", **by, "per_page": size.value}, after)
        except RouteNotFound:
            repository = self._rest.one(_path(name))
            if repository.get("has_pull_requests", bool) is False:
                return Page(repository.number("id"), repository.need("full_name", str), 0, None, None, [])
            raise
        repository = self._rest.one(_path(name)) if newest.entry is None else _base(newest.entry)
        return Page(
            repository.number("id"),
            repository.need("full_name", str),
            newest.count,
            None if newest.entry is None else newest.entry.instant("updated_at"),
            next_path,
            self.chosen(name, [str(each.need("number", int)) for each in listed]),
            newest.etag,
        )

    def numbers(self, name: str, after: str | None) -> Numbers:
        """Return a page of a hundred numbers."""
        parameters: _Parameters = {"state": "all", "sort": "created", "direction": "asc", "per_page": LARGEST_LIST}
        newest = self._newest(name)
        listed, next_path = self._rest.page(f"{_path(name)}/pulls", parameters, after)
        repository = self._rest.one(_path(name)) if newest.entry is None else _base(newest.entry)
        ids = {each.need("number", int): str(each.need("number", int)) for each in listed}
        return Numbers(repository.number("id"), newest.count, next_path, ids)

    def chosen(self, name: str, ids: list[str]) -> list[PullRequest]:
        """Return the pull requests with these numbers."""
        return [pull for number in ids if (pull := self._pull_request(name, number)) is not None]

    def is_unchanged(self, name: str, etag: str) -> bool:
        """Return whether the newest change is the one with this etag; that it is costs nothing of the budget."""
        return self._newest(name, etag).is_same

    def _newest(self, name: str, etag: str | None = None) -> First:
        parameters = {"state": "all", "sort": "updated", "direction": "desc"}
        return self._rest.first_and_count(f"{_path(name)}/pulls", parameters, etag)

    def _pull_request(self, name: str, number: str) -> PullRequest | None:
        path = f"{_path(name)}/pulls/{number}"
        try:
            found = self._rest.one(path)
            reviews, commits = list(self._rest.each(f"{path}/reviews")), list(self._rest.each(f"{path}/commits"))
        except RouteNotFound:
            return None
        except BadAnswer as error:
            return _broken(number, error)
        try:
            return PullRequest(Fields(shapes.pull_request(found, reviews, commits), path), is_final=True)
        except BadAnswer as error:
            return _broken(number, error)


class CommitsByRest:
    """Lists the commits of a default branch by REST."""

    plan = PLAN

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._totals: dict[tuple[str, str | None], int] = {}
        self._repositories: dict[str, Fields] = {}

    def head(self, name: str, since: str | None, then: str | None) -> Head:
        """Return the head of the default branch, with the numbers at `then`."""
        repository = self._rest.one(_path(name))
        repo_id, full_name = repository.number("id"), repository.need("full_name", str)
        try:
            newest = self._count(full_name, repository.get("default_branch", str), None)
        except RequestRejected as error:
            if error.status != _EMPTY:
                raise
            return Head(repo_id, full_name, None, Counts(0, 0), None)
        if newest.entry is None:
            return Head(repo_id, full_name, None, Counts(0, 0), None)
        sha = newest.entry.need("sha", str)
        now = Counts(newest.count, newest.count if since is None else self._count(full_name, sha, since).count)
        return Head(repo_id, full_name, sha, now, None if then is None else self._then(full_name, then, since))

    def page(self, name: str, head: str, since: str | None, after: str | None, size: PageSize) -> CommitPage | None:
        """Return the page after a cursor; None when the head is gone."""
        try:
            if (head, since) not in self._totals:
                self._totals[head, since] = self._count(name, head, since).count
            parameters: dict[str, str | int] = {"sha": head, "per_page": size.value}
            parameters |= {} if since is None else {"since": since}
            listed, next_path = self._rest.page(f"{_path(name)}/commits", parameters, after)
            repository = self._repository(name)
        except RequestRejected as error:
            # If the repository is gone as well, the question for its head says so.
            if error.status in _NO_SUCH_COMMIT:
                return None
            raise
        commits = [Fields(shapes.commit(each), each.place) for each in listed]
        full_name = repository.need("full_name", str)
        return CommitPage(repository.number("id"), full_name, self._totals[head, since], next_path, commits)

    def _then(self, name: str, then: str, since: str | None) -> Counts | None:
        try:
            everything = self._count(name, then, None).count
            return Counts(everything, everything if since is None else self._count(name, then, since).count)
        except RequestRejected as error:
            if error.status in _NO_SUCH_COMMIT:
                return None
            raise

    def _count(self, name: str, head: str | None, since: str | None) -> First:
        given = {"sha": head, "since": since}
        parameters = {key: value for key, value in given.items() if value is not None}
        return self._rest.first_and_count(f"{_path(name)}/commits", parameters)

    def _repository(self, name: str) -> Fields:
        if name not in self._repositories:
            self._repositories[name] = self._rest.one(_path(name))
        return self._repositories[name]


class RepositoriesByRest:
    """Lists repositories by REST: those of an App's installation, of an organisation, or of a user."""

    plan = PLAN

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._route: tuple[str, _Parameters] | None = None

    def hidden(self, account: str) -> str | None:
        """Return why repositories may be hidden, by the headers of the answers, or by the App's installation."""
        return why_hidden(self.is_partial(account), self._rest.client.auth)

    def is_partial(self, account: str) -> bool:
        """Return whether GitHub leaves out repositories of an organisation, by a list of one."""
        if isinstance(self._rest.client.auth, App):
            return False  # an installation is of one organisation, and needs no single sign-on
        try:
            path, parameters = self._route_of(account)
            return self._rest.get(path, {**parameters, "per_page": 1}).is_partial
        except RequestRejected as error:
            if error.status in _NOT_SHOWN:
                return False
            raise

    def page(self, account: str, after: str | None, size: PageSize) -> RepositoryPage:
        """Return the page after a cursor."""
        path, parameters = self._route_of(account)
        total = self._total(path, parameters)
        answer = self._rest.get(path, {**parameters, "per_page": size.value}) if after is None else None
        answer = answer or self._rest.client.get(str(after))
        found = [Fields(shapes.repository(each), each.place) for each in _objects(answer.body, path)]
        return RepositoryPage(total, answer.next_path, found)

    def id_of(self, name: str) -> int | None:
        """Return the id of a repository; GitHub follows a name that it had before."""
        try:
            return self._rest.one(_path(name)).number("id")
        except RouteNotFound:
            return None

    def _route_of(self, account: str) -> tuple[str, _Parameters]:
        """Return the route that shows all repositories of an account which this token may see."""
        if self._route is None:
            self._route = self._found_route(account)
        return self._route

    def _found_route(self, account: str) -> tuple[str, _Parameters]:
        if isinstance(self._rest.client.auth, App):
            return "/installation/repositories", {}
        by_name: _Parameters = {"sort": "full_name", "direction": "asc"}
        login = quote(account, safe="")
        if self._is_there(f"/orgs/{login}/repos"):
            return f"/orgs/{login}/repos", {"type": "all", **by_name}
        if self._rest.one("/user").need("login", str).lower() == account.lower():
            return "/user/repos", {"affiliation": "owner", **by_name}
        if self._is_there(f"/users/{login}/repos"):
            return f"/users/{login}/repos", {"type": "owner", **by_name}
        raise no_account(account)

    def _is_there(self, path: str) -> bool:
        try:
            self._rest.get(path, {"per_page": 1})
        except RouteNotFound:
            return False
        return True

    def _total(self, path: str, parameters: _Parameters) -> int:
        return self._rest.first_and_count(path, parameters).count


def _path(name: str) -> str:
    owner, _, short = name.partition("/")
    return f"/repos/{quote(owner, safe='')}/{quote(short, safe='')}"


def _broken(number: str, error: BadAnswer) -> PullRequest:
    return PullRequest(Fields({"number": int(number)}, number), problem=str(error))


def _base(listed: Fields) -> Fields:
    return listed.needed("base").needed("repo")


def _objects(body: object, place: str) -> list[Fields]:
    """Return the objects of a list, or of the list `repositories` of an App's installation."""
    if isinstance(body, dict) and "repositories" in body:
        body = body["repositories"]
    if not isinstance(body, list):
        raise BadAnswer(f"{place}: expected a list, got another JSON value")
    return [Fields.of(each, place) for each in body]
