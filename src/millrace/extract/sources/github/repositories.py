"""The reading of an account's repositories: the list that the tasks of the run follow from."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Protocol

from millrace.errors import RequestRejected
from millrace.extract.auth import Auth
from millrace.extract.graphql import GraphQL, NotFound, PageSize, TooHeavy
from millrace.extract.reading import Outcome, Request, Row, Rows
from millrace.extract.sources.github import commits, pull_requests
from millrace.extract.sources.github.credentials import App
from millrace.extract.sources.github.fields import BadAnswer, Connection, Fields, idle_pages
from millrace.extract.sources.github.listing import LARGEST_LIST, NO_RIGHT, ORDERS, named, repository_of
from millrace.extract.sources.github.queries import Queries
from millrace.extract.sources.github.rows import misfit, repository_row
from millrace.extract.sources.github.windows import Found, window_row

OBJECT = "repositories"
_MOST_PASSES = 3
_SHOWN = 5  # repositories in a reason
_LONGEST_NAME = 140


@dataclass(frozen=True, slots=True)
class RepositoryPage:
    """One page of an account's repositories. `total` None: the server does not report their number."""

    total: int | None
    after: str | None
    repositories: list[Fields]


class RepositoryListing(Protocol):
    """A way to list repositories."""

    plan: str

    def hidden(self, account: str) -> str | None:
        """Return why repositories may be hidden from this token, as far as the server says so after a listing."""

    def page(self, account: str, after: str | None, size: PageSize) -> RepositoryPage:
        """Return the page after a cursor; RequestRejected for an account that does not exist."""

    def id_of(self, name: str) -> int | None:
        """Return the id of a repository, also by a name that it had before; None when there is none."""


def why_hidden(is_partial: bool, auth: Auth) -> str | None:
    """Return why repositories may be hidden: by single sign-on, or because an App is installed on some only."""
    selection = auth.repository_selection if isinstance(auth, App) else None
    if is_partial:
        return (
            "GitHub left out what requires single sign-on; authorise the token for the organisation under "
            "Settings, Developer settings, Configure SSO"
        )
    if selection == "selected":
        return "the App is installed on selected repositories; others may exist, install it on all to see them"
    return None


class RepositoriesByGraphQL:
    """Lists by GraphQL. Only REST has the header about single sign-on: `is_partial` asks for it."""

    plan = "graphql"

    def __init__(self, graphql: GraphQL, queries: Queries, is_partial: Callable[[str], bool]) -> None:
        self._graphql = graphql
        self._queries = queries
        self._is_partial = is_partial

    def hidden(self, account: str) -> str | None:
        """Return why repositories may be hidden, by one request of REST, or by the App's installation."""
        is_partial = self._graphql.is_partial or self._is_partial(account)
        return why_hidden(is_partial, self._graphql.client.auth)

    def page(self, account: str, after: str | None, size: PageSize) -> RepositoryPage:
        """Return the page after a cursor; a page that is too heavy is asked for in half its size.

        One repository may be closed to the token, whose task then says so: all are listed by their metadata alone.
        """
        while True:
            variables = {"login": account, "first": size.value, "after": after}
            try:
                answer = Fields(self._graphql.ask(self._queries.repositories, variables), account)
                break
            except TooHeavy as error:
                size.halve(error)
            except RequestRejected as error:
                if error.status != NO_RIGHT or not self._queries.beyond_metadata:
                    raise
                self._queries = replace(self._queries, beyond_metadata=False)
        size.succeeded()
        owner = answer.child("repositoryOwner")
        if owner is None:
            raise no_account(account)
        listed = Connection.of(owner, "repositories", after)
        return RepositoryPage(listed.total, listed.after, [node for node in listed.nodes if node is not None])

    def id_of(self, name: str) -> int | None:
        """Return the id of a repository; GitHub follows a name that it had before."""
        try:
            answer = self._graphql.ask(
                self._queries.numbers, named(name) | {"first": 1, "after": None} | ORDERS["created"]
            )
            return repository_of(answer, name).number("databaseId")
        except NotFound:
            return None


@dataclass
class _State:
    """Where a reading is: the repositories of this pass, those of all passes, and the wanted ones (None: all)."""

    after: str | None = None
    size: int = LARGEST_LIST
    passes: int = 0
    total: int | None = None
    wanted: list[int] | None = None
    listed: list[int] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)  # repo_id: full name
    skipped: dict[str, str] = field(default_factory=dict)  # repo_id: reason
    problems: dict[str, str] = field(default_factory=dict)  # name of a repository that cannot be stored: reason
    broken: dict[str, str] = field(default_factory=dict)  # repo_id of one of these: name
    idle: int = 0
    hidden: str | None = None
    is_over: bool = False
    is_reported: bool = False


class RepositoryReading:
    """One reading of the list of repositories."""

    is_page_saved = True

    def __init__(self, request: Request, listing: RepositoryListing, account: str) -> None:
        self._request = request
        self._listing = listing
        self._account = account
        known = {each.name for each in fields(_State)}
        self._state = _State(**{name: value for name, value in (request.held or {}).items() if name in known})
        self._size = PageSize(LARGEST_LIST, self._state.size)

    @property
    def _before(self) -> dict[str, str]:
        """The names of the repositories that the last run listed, by id; empty when they are not known."""
        names = self._request.cursor.marks.get("", {}).get("names") if self._request.cursor else None
        pairs = names.items() if isinstance(names, dict) else ()
        return {repo_id: name for repo_id, name in pairs if repo_id.isdigit() and isinstance(name, str)}

    @property
    def lists(self) -> tuple[int, int | None]:
        """The number of repositories that were listed, and of those in the account."""
        return len(self._state.names), self._state.total

    def held(self) -> dict[str, Any]:
        """Return the state after the rows that were yielded so far."""
        self._state.size = self._size.value
        return asdict(self._state)

    def rows(self) -> Iterator[Rows]:
        """Yield the rows of the repositories that the run wants, and at last those of the windows.

        Raises RequestRejected for an account that does not exist, and for a wanted name that no repository has.
        """
        state = self._state
        if self._request.plan.repositories and state.wanted is None:
            state.wanted = self._ids_of(self._request.plan.repositories)
        while not state.is_over:
            yield self._page()
        if not state.is_reported:
            state.is_reported = True
            yield {"source_windows": self._windows()}

    def outcome(self) -> Outcome:
        """Return what was found; the children are the repositories that can be read.

        The mark has the names of a list that is known to be complete, so that the next run misses one that vanished.
        """
        state = self._state
        found = [each for each in sorted(map(int, state.names)) if str(each) not in state.skipped]
        return Outcome(
            plan=self._listing.plan,
            source_total=len(state.names),
            totals={"github_repos": len(state.names)},
            children=tuple(map(str, found)),
            mark={"names": state.names} if self._found().is_settled else None,
        )

    def _page(self) -> Rows:
        """Read one page, and begin again where the different repositories are not as many as the source reports."""
        state = self._state
        page = self._listing.page(self._account, state.after, self._size)
        state.total, state.after = page.total, page.after
        rows, before = [], len(set(state.listed))
        for node in page.repositories:
            row = self._row_of(node)
            if row is None:
                continue
            repo_id = row["repo_id"]
            state.listed.append(repo_id)
            if str(repo_id) not in state.names and (state.wanted is None or repo_id in state.wanted):
                state.names[str(repo_id)] = row["full_name"]
                self._skip(node, repo_id)
                rows.append(row)
        if page.after is not None:
            state.idle = idle_pages(state.idle, len(set(state.listed)) > before, self._account)
        if page.after is None:
            state.passes += 1
            state.is_over = len(set(state.listed)) == page.total or page.total is None or state.passes == _MOST_PASSES
            if state.is_over:
                state.hidden = self._listing.hidden(self._account)
            else:
                state.listed = []
        return {"github_repos": rows}

    def _row_of(self, node: Fields) -> Row | None:
        """Return the row of a repository; None, and note why, when it cannot be stored."""
        try:
            row = repository_row(self._account, node)
            node.get("isLocked", bool)
            problem = misfit({"github_repos": [row]})
        except BadAnswer as error:
            row, problem = {}, str(error)
        if problem is None:
            return row
        state, name = self._state, node.values.get("nameWithOwner")
        shown = name[:_LONGEST_NAME] if isinstance(name, str) else "one without a name"
        with contextlib.suppress(BadAnswer):
            repo_id = node.number("databaseId")
            state.listed.append(repo_id)
            if state.wanted is not None and repo_id not in state.wanted:
                return None
            state.broken[str(repo_id)] = shown
        state.problems[shown] = problem
        return None

    def _skip(self, node: Fields, repo_id: int) -> None:
        if node.get("isDisabled", bool):
            self._state.skipped[str(repo_id)] = "GitHub has disabled this repository; its owner can ask GitHub why"
        elif node.get("isLocked", bool):
            self._state.skipped[str(repo_id)] = "the repository is locked, as during a migration; unlock it to read it"

    def _ids_of(self, names: tuple[str, ...]) -> list[int]:
        ids = {name: self._listing.id_of(name if "/" in name else f"{self._account}/{name}") for name in names}
        unknown = [name for name, repo_id in ids.items() if repo_id is None]
        if unknown:
            raise RequestRejected(
                f"MILLRACE_REPOSITORIES: expected repositories of {self._account} that this token may see, got "
                f"{', '.join(map(repr, unknown))}; correct the names, or give the token a right to see them"
            )
        return [repo_id for repo_id in ids.values() if repo_id is not None]

    def _windows(self) -> list[Row]:
        state, at = self._state, self._request.now
        elsewhere = [each for each in state.wanted or () if str(each) not in state.names | state.broken]
        if elsewhere:
            raise RequestRejected(
                f"MILLRACE_REPOSITORIES: expected repositories of {self._account}, got {len(elsewhere)} that "
                "another account owns; remove them, or name that account"
            )
        rows = [window_row(self._account, OBJECT, "all", self._account, self._found(), at)]
        refused = {
            repo_id: (state.names[repo_id], Found("refused", reason=reason))
            for repo_id, reason in state.skipped.items()
        }
        unknown = {
            repo_id: (name, Found("unknown", reason=f"its entry in the list cannot be read: {state.problems[name]}"))
            for repo_id, name in state.broken.items()
        }
        for repo_id, (name, found) in {**self._vanished(), **refused, **unknown}.items():
            for what in (pull_requests.OBJECT, commits.OBJECT):
                rows.append(window_row(self._account, what, repo_id, name, found, at))
        return rows

    def _vanished(self) -> dict[str, tuple[str, Found]]:
        """Return the repositories that the last run listed and this one does not, with what is known of them."""
        state, before = self._state, self._before
        if len(set(state.listed)) != state.total:
            return {}
        vanished = {}
        for repo_id in before.keys() - state.names.keys() - state.broken.keys():
            name = before[repo_id]
            if int(repo_id) in state.listed:
                reason = f"{name} is not one of MILLRACE_REPOSITORIES any more; what was read of it stays as it was"
                vanished[repo_id] = (name, Found("provisional", reason=reason))
            else:
                reason = (
                    f"GitHub no longer lists {name} for {self._account}: it was deleted or transferred, or this token "
                    "may not see it; give the token that right, what was read stays as it was"
                )
                vanished[repo_id] = (name, Found("refused", reason=reason))
        return vanished

    def _found(self) -> Found:
        state = self._state
        read, listed, hidden = len(state.names), len(set(state.listed)), state.hidden
        if state.total is None:
            return Found("unknown", read, None, "this server does not report how many repositories there are")
        if state.problems:
            shown = ", ".join(f"{name} ({problem})" for name, problem in list(state.problems.items())[:_SHOWN])
            reason = f"{len(state.problems)} cannot be read: {shown}; report it, the others are read"
            return Found("unknown", read, state.total, reason)
        if listed != state.total:
            reason = f"GitHub reports {state.total} repositories, and {listed} could be listed; run again"
            return Found("unknown", read, state.total, reason)
        if hidden is not None:
            return Found("unknown", read, state.total, hidden)
        if not listed:
            reason = "GitHub shows no repository to this token: there is none, or the token has no right to see one"
            return Found("unknown", 0, 0, reason)
        if state.wanted is not None:
            return Found("known", read, read, f"{read} of {listed} repositories were chosen")
        return Found("known", read, state.total)


def no_account(account: str) -> RequestRejected:
    """Return the error for an account that the server does not show."""
    return RequestRejected(
        f"expected an organisation or a user of this GitHub, got {account!r}; "
        "correct the account, or use a token that may see it"
    )
