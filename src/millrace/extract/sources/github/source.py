"""GitHub as a source: the readings of its endpoints, and a look at what a token may see."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from millrace import log
from millrace.errors import RequestRejected, UnexpectedResponse
from millrace.extract.auth import Bearer
from millrace.extract.graphql import GraphQL, PageSize
from millrace.extract.reading import Reading, Request
from millrace.extract.sources.github import estimate
from millrace.extract.sources.github.commits import CommitListing, CommitReading, CommitsByGraphQL
from millrace.extract.sources.github.credentials import App
from millrace.extract.sources.github.estimate import Estimate
from millrace.extract.sources.github.fields import Fields, idle_pages
from millrace.extract.sources.github.listing import LARGEST_LIST, ByGraphQL, PullRequestListing
from millrace.extract.sources.github.pull_requests import PullRequestReading
from millrace.extract.sources.github.queries import OFFERED, VIEWER, Offered, Queries
from millrace.extract.sources.github.repositories import RepositoriesByGraphQL, RepositoryListing, RepositoryReading
from millrace.extract.sources.github.rest import CommitsByRest, PullRequestsByRest, RepositoriesByRest, Rest
from millrace.extract.sources.github.rows import Texts

_NO_ROUTE = (404, 410)
_KINDS = {
    "github_pat_": "fine-grained personal access token",
    "ghp_": "classic personal access token",
    "gho_": "OAuth token",
    "ghu_": "user token of an App",
    "ghs_": "installation token of an App, or of a workflow",
}


@dataclass(frozen=True, slots=True)
class Probe:
    """What a token may see of an account.

    `login` None: GitHub does not say whose it is. `repositories` has the number of pull requests of each, by its full
    name (None: unknown), and `unknown` the wanted names that no repository of the account has. `refused` has what
    could not be read of the largest repository, in the server's words. `budget`, `left` and `reset_at` are those of an
    hour (None: no limit). `cost` is that of a first load (None: the numbers are not known). `hidden` says why there may
    be more repositories. `pull_requests` are their numbers by the id of the repository (None: not known).
    """

    login: str | None
    kind: str
    plan: str
    repositories: Mapping[str, int | None]
    unknown: tuple[str, ...]
    hidden: str | None
    refused: tuple[str, ...]
    budget: int | None
    left: int | None
    reset_at: str | None
    cost: Estimate | None
    pull_requests: Mapping[int, int | None]


@dataclass
class GitHubSource:
    """One account of one GitHub. `rest` is the path of its REST API below the client's address."""

    graphql: GraphQL
    account: str
    rest: str = ""
    texts: Texts = field(default_factory=Texts)
    _offered: Offered | None = field(default=None, repr=False)
    _has_graphql: bool = True

    def reading(self, request: Request) -> Reading:
        """Return the reading of a task; UnexpectedResponse and the like for a server that cannot be asked.

        UnexpectedResponse also for a saved state that is damaged: the task begins again.
        """
        ways = self._ways(self.graphql.for_task(request.stats, request.deadline))
        try:
            return self._reading(request, ways)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            if request.held is None:
                raise
            what = f"{request.endpoint.name} {request.partition}".strip()
            raise UnexpectedResponse(f"{what}: the saved state is damaged; the task begins again") from error

    def _reading(self, request: Request, ways: "_Ways") -> Reading:
        match request.endpoint.name:
            case "github_repos":
                return RepositoryReading(request, ways.repositories, self.account)
            case "github_pull_requests":
                return PullRequestReading(request, ways.pull_requests, self.account, self.texts)
            case _:
                return CommitReading(request, ways.commits, self.account, self.texts)

    def probe(self, wanted: tuple[str, ...] = ()) -> Probe:
        """Return what the token may see, by a few requests; the errors of the client when it is refused.

        Of the repositories only those with the `wanted` names count, if there are any.
        """
        graphql = self.graphql.for_task(type(self.graphql.client.stats)(), self.graphql.client.deadline)
        ways = self._ways(graphql)
        login, limit = self._viewer(graphql) if ways.plan == "graphql" else (None, None)
        names: dict[str, int | None] = {}
        numbers: dict[int, int | None] = {}
        ids: dict[int, str] = {}
        after: str | None = None
        idle = 0
        while True:
            page, before = ways.repositories.page(self.account, after, PageSize(LARGEST_LIST)), len(numbers)
            for node in page.repositories:
                count = node.inner("pullRequests", int, "totalCount")
                name, repo_id = node.need("nameWithOwner", str), node.number("databaseId")
                names[name] = numbers[repo_id] = count
                ids[repo_id] = name
            after = page.after
            if after is None:
                break
            idle = idle_pages(idle, len(numbers) > before, self.account)
        unknown: tuple[str, ...] = ()
        if wanted:
            found = {name: self._repo_id(ways, ids, name) for name in wanted}
            names = {ids[each]: numbers[each] for each in found.values() if each in ids}
            unknown = tuple(name for name, each in found.items() if each not in ids)
        counts = [count for count in names.values() if count is not None]
        per_hour = None if limit is None else limit.get("limit", int)
        is_known = len(counts) == len(names)
        return Probe(
            login,
            self._kind(),
            ways.plan,
            names,
            unknown,
            ways.repositories.hidden(self.account),
            self._refused(ways, names),
            per_hour,
            None if limit is None else limit.get("remaining", int),
            None if limit is None else limit.get("resetAt", str),
            estimate.of_pull_requests(counts, per_hour or None, ways.plan == "rest") if is_known else None,
            numbers,
        )

    def _repo_id(self, ways: "_Ways", ids: Mapping[int, str], wanted: str) -> int | None:
        """Return the id of a wanted repository, also by a name that it had before; None when there is none."""
        full = wanted if "/" in wanted else f"{self.account}/{wanted}"
        listed = (repo_id for repo_id, name in ids.items() if name.lower() == full.lower())
        return next(listed, None) or ways.repositories.id_of(full)

    def _viewer(self, graphql: GraphQL) -> tuple[str | None, Fields | None]:
        answer = Fields(graphql.ask(VIEWER, {}), "viewer")
        return answer.inner("viewer", str, "login"), answer.child("rateLimit")

    def _refused(self, ways: "_Ways", names: dict[str, int | None]) -> tuple[str, ...]:
        """Return what may not be read of the repository with most pull requests."""
        if not names:
            return ()
        name = max(names, key=lambda each: names[each] or 0)
        tries: dict[str, Callable[[], object]] = {
            "pull requests": lambda: ways.pull_requests.page(name, "created", None, PageSize(1)),
            "commits": lambda: ways.commits.head(name, None, None),
        }
        refused = []
        for what, read in tries.items():
            try:
                read()
            except RequestRejected as error:
                refused.append(f"{what} of {name}: {error}")
        return tuple(refused)

    def _kind(self) -> str:
        auth = self.graphql.client.auth
        if isinstance(auth, App):
            return "GitHub App"
        token = auth.token if isinstance(auth, Bearer) else ""
        return next((kind for prefix, kind in _KINDS.items() if token.startswith(prefix)), "token")

    def _ways(self, graphql: GraphQL) -> "_Ways":
        """Return the ways to list, by GraphQL where the server has what is needed."""
        self._ask_once(graphql)
        rest = Rest(graphql.client, self.rest)
        if not self._has_graphql:
            return _Ways("rest", RepositoriesByRest(rest), PullRequestsByRest(rest), CommitsByRest(rest))
        queries = Queries(self._offered or Offered({}), texts=self.texts)
        return _Ways(
            "graphql",
            RepositoriesByGraphQL(graphql, queries, RepositoriesByRest(rest).is_partial),
            ByGraphQL(graphql, queries),
            CommitsByGraphQL(graphql, queries),
        )

    def _ask_once(self, graphql: GraphQL) -> None:
        """Ask a server of one's own which fields it has; GitHub's own have the published ones."""
        if self._offered is not None:
            return
        host = urlsplit(graphql.client.base_url).hostname or ""
        if host == "api.github.com" or host.endswith(".ghe.com"):
            self._offered = Offered({})
            return
        try:
            self._offered = Offered.of(graphql.ask(OFFERED, {}))
        except RequestRejected as error:
            if error.status not in _NO_ROUTE:
                raise
            self._offered, self._has_graphql = Offered({}), False
        if self._offered.missing:
            self._has_graphql = False
            log.info("the schema lacks what is needed, reading by REST", missing=list(self._offered.missing))


@dataclass(frozen=True, slots=True)
class _Ways:
    """The ways to list each object."""

    plan: str
    repositories: RepositoryListing
    pull_requests: PullRequestListing
    commits: CommitListing
