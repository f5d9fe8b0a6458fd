"""What the fields of Query and the lists of the served schema return."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLResolveInfo

from simulator.github.graphql.connections import Connection, RefusedQuery, part_of
from simulator.github.graphql.costs import Cost
from simulator.github.happening import Listed
from simulator.github.model import (
    Account,
    Commit,
    Company,
    PullRequest,
    Repository,
    Review,
    node_id,
    numbers_in,
)
from simulator.github.times import seconds

_SOME_INSTANT = "2026-11-01T00:00:00Z"
Resolver = Callable[..., Any]


@dataclass(slots=True)
class Asked:
    """What one execution knows.

    `listed` is what it returned a page of, `heads` are the repositories of commits by their hashes.
    """

    company: Company
    viewer: Account
    cost: Cost
    budget: dict[str, Any] | None
    listed: list[Listed] = field(default_factory=list)
    heads: dict[str, Repository] = field(default_factory=dict)


Info = GraphQLResolveInfo[Asked]


def _not_found(kind: str, how: str) -> RefusedQuery:
    article = "an" if kind[0] in "AEIO" else "a"
    return RefusedQuery("NOT_FOUND", f"Could not resolve to {article} {kind} with the {how}.")


def repository(source: Any, info: Info, name: str, owner: str, followRenames: bool = True) -> Repository:  # noqa: N803
    """Return a repository by name; raises RefusedQuery when there is none, or none that may be seen."""
    company: Company = info.context.company
    full_name = f"{owner}/{name}"
    found = company.find(full_name)
    if found is None or (not followRenames and found.full_name.lower() != full_name.lower()):
        raise _not_found("Repository", f"name '{full_name}'")
    if found.is_hidden_by_sso:
        raise RefusedQuery(
            "FORBIDDEN",
            "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to "
            "this organization.",
            saml_failure=True,
        )
    return found


def _check_right(repository: Repository) -> None:
    if repository.is_forbidden:
        raise RefusedQuery("FORBIDDEN", "Resource not accessible by personal access token")


def owned(source: Account, info: Info, name: str, followRenames: bool = True) -> Repository:  # noqa: N803
    """Return a repository of an account by name."""
    return repository(source, info, name, source.login, followRenames)


def organization(source: Any, info: Info, login: str) -> Account:
    """Return the organization of this login; raises RefusedQuery when there is none."""
    """Return a repository of an account by name."""
    """Return a repository by name; raises RefusedQuery when there is none, or none that may be seen."""
    account: Account = info.context.company.account
    if account.login.lower() != login.lower() or account.typename != "Organization":
        raise _not_found("Organization", f"login of '{login}'")
    return account


def user(source: Any, info: Info, login: str) -> Account:
    """Return the user of this login; raises RefusedQuery when there is none."""
    found = _account(info.context.company, login)
    if found is None or found.typename != "User":
        raise _not_found("User", f"login of '{login}'")
    return found


def _account(company: Company, login: str) -> Account | None:
    known = (company.account, *company.people)
    return next((each for each in known if each.login.lower() == login.lower()), None)


def owner(source: Any, info: Info, login: str) -> Account | None:
    """Return the account of this login, or None."""
    return _account(info.context.company, login)


def node(source: Any, info: Info, id: str) -> Repository | PullRequest:
    """Return what has this id; raises RefusedQuery when there is nothing, or nothing that may be seen."""
    found = _look_up(info.context.company, id)
    if found is None:
        raise _not_found("node", f"global id of '{id}'")
    return found


def nodes(source: Any, info: Info, ids: list[str]) -> list[Any]:
    """Return what has these ids, in their order; an id of nothing gives null and an error."""
    if len(ids) > 100:
        raise RefusedQuery("ARGUMENT_LIMIT", f"You may not provide more than 100 node ids; you provided {len(ids)}.")
    # An error of GitHub in place of one row: null there, and an entry of `errors`.
    return [_look_up(info.context.company, id) or _not_found("node", f"global id of '{id}'") for id in ids]


def _look_up(company: Company, id: str) -> Repository | PullRequest | None:
    try:
        prefix, numbers = numbers_in(id)
    except ValueError:
        return None
    repository = company.by_id(numbers[0])
    if repository is None or repository.is_hidden_by_sso:
        return None
    if prefix == "PR":
        return repository.pull(numbers[-1])
    return repository if prefix == "R" else None


def rate_limit(source: Any, info: Info) -> dict[str, Any] | None:
    """Return the budget and what this query costs; None on a server without limits."""
    asked: Asked = info.context
    if asked.budget is None:
        return None  # a server without limits
    return {"cost": asked.cost.points, "nodeCount": asked.cost.nodes, **asked.budget}


_ORDERS: dict[str, Callable[[Any], Any]] = {
    "NAME": lambda row: row.name.lower(),
    "CREATED_AT": lambda row: row.created_at,
    "UPDATED_AT": lambda row: row.updated_at,
    "PUSHED_AT": lambda row: row.pushed_at or "",
    "STARGAZERS": lambda row: 0,
    "COMMENTS": lambda row: sum(review.comment_count for review in row.reviews),
}


def _ordered(name: str, rows: list[Any], arguments: dict[str, Any]) -> Connection:
    order = arguments.get("orderBy") or {"field": "CREATED_AT", "direction": "ASC"}
    value = _ORDERS[order["field"]]

    def key(row: Any) -> tuple[Any, int]:
        return value(row), row.id

    ordered = sorted(rows, key=key, reverse=order["direction"] == "DESC")
    return part_of(name, ordered, arguments, f"{order['field']} {order['direction']}", key)


def repositories(source: Account, info: Info, **arguments: Any) -> Connection:
    """Return the repositories of an account that may be seen."""
    company: Company = info.context.company
    wanted = {"is_archived": arguments.get("isArchived"), "is_fork": arguments.get("isFork")}
    affiliations = arguments.get("ownerAffiliations") or ()
    rows = [each for each in company.repositories if each.owner is source] if "OWNER" in affiliations else []
    if "COLLABORATOR" in affiliations and source is company.account:
        rows += company.collaborations
    rows = [
        each
        for each in rows
        if not each.is_hidden_by_sso
        and all(value is None or getattr(each, name) == value for name, value in wanted.items())
    ]
    found = _ordered("repositories", rows, arguments)
    if found.is_bounded:
        info.context.listed.append(Listed("repositories"))
    return found


def pulls(source: Repository, info: Info, **arguments: Any) -> Connection:
    """Return the pull requests of a repository; there are none while they are turned off."""
    _check_right(source)
    rows = source.pulls if source.has_pull_requests else []
    wanted = {
        "state": arguments.get("states"),
        "base_ref": arguments.get("baseRefName"),
        "head_ref": arguments.get("headRefName"),
    }
    for name, value in wanted.items():
        if value is not None:
            allowed = value if isinstance(value, list) else [value]
            rows = [each for each in rows if getattr(each, name) in allowed]
    found = _ordered("pullRequests", rows, arguments)
    if found.is_bounded:
        info.context.listed.append(Listed("pulls", source))
    return found


def pull(source: Repository, info: Info, number: int) -> PullRequest:
    """Return one pull request; raises RefusedQuery when there is none of this number."""
    found = source.pull(number) if source.has_pull_requests else None
    if found is None:
        raise _not_found("PullRequest", f"number of {number}")
    return found


def branch(source: Repository, info: Info) -> dict[str, Any] | None:
    """Return the default branch; None while nothing was pushed."""
    _check_right(source)
    if source.is_empty:
        return None
    tip = source.history[0]
    info.context.heads[tip.sha] = source
    name = source.default_branch
    return {"id": node_id("REF", source.id), "name": name, "prefix": "refs/heads/", "repository": source, "target": tip}


def git_object(source: Repository, info: Info, oid: str) -> Commit | None:
    """Return a commit by its hash, or None."""
    _check_right(source)
    info.context.heads[oid] = source
    return source.commit(oid)


def reviewed_commit(source: tuple[PullRequest, Review], info: Info) -> Commit | None:
    """Return the commit to which a review belongs; GitHub keeps those from before a force push."""
    pull, review = source
    known = [*pull.commits, *(each.before for each in pull.events if each.before)]
    return next((each for each in known if each.sha == review.commit_sha), None)


def reviews(source: PullRequest, info: Info, states: list[str] | None = None, **arguments: Any) -> Connection:
    """Return the reviews of a pull request, each with it."""
    rows = [each for each in source.reviews if states is None or each.state in states]
    return part_of("reviews", [(source, each) for each in rows], arguments)


def timeline(
    source: PullRequest,
    info: Info,
    itemTypes: list[str] | None = None,  # noqa: N803
    since: str | None = None,
    skip: int | None = None,
    **arguments: Any,
) -> Connection:
    """Return the events of a pull request, each with it."""
    if itemTypes is None:
        raise RefusedQuery("NOT_SIMULATED", "expected itemTypes: the simulator has only four of GitHub's events")
    _check_instants(since)
    kinds = {_event_type(each) for each in itemTypes}
    rows = [each for each in source.events if each.typename in kinds and (since is None or each.at >= since)]
    return part_of("timelineItems", [(source, each) for each in rows[skip or 0 :]], arguments)


def _check_instants(*texts: str | None) -> None:
    """Raise RefusedQuery for a text in another form than the one that is simulated, whole seconds with `Z`."""
    for text in texts:
        try:
            seconds(text or _SOME_INSTANT)
        except ValueError:
            raise RefusedQuery("NOT_SIMULATED", f"expected an instant such as {_SOME_INSTANT}, got {text!r}") from None


def _event_type(item_type: str) -> str:
    return "".join(word.capitalize() for word in item_type.split("_"))


def history(
    source: Commit, info: Info, since: str | None = None, until: str | None = None, **arguments: Any
) -> Connection:
    """Return the commits that a branch reaches, newest first."""
    _check_instants(since, until)
    repository = info.context.heads[source.sha]
    rows = [
        each
        for each in repository.reached_from(source.sha)
        if (since is None or each.committed_at >= since) and (until is None or each.committed_at <= until)
    ]
    found = part_of("history", rows, arguments)
    if found.is_bounded:
        info.context.listed.append(Listed("commits", repository))
    return found


def listed(name: str, rows: Callable[[Any], list[Any]]) -> Resolver:
    """Return the resolver of a list without order and filters."""
    return lambda source, info, **arguments: part_of(name, rows(source), arguments)
