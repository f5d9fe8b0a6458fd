"""The routes of REST: which path is whose, and who may ask."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from simulator.answers import SimulatedRequest, SimulatedResponse
from simulator.github.credentials import Caller, Credentials
from simulator.github.happening import Listed
from simulator.github.knobs import Knobs
from simulator.github.limits import Window
from simulator.github.model import Account, Company, PullRequest, Repository
from simulator.github.rest import apps
from simulator.github.rest.paging import Parameters
from simulator.github.rest.shapes import Shapes
from simulator.github.wire import Refusal, json_answer, sso_header

MOST_COMMITS = 250
_BELOW = re.compile(r"/(?:repos/(?P<name>[^/]+/[^/]+)|repositories/(?P<id>\d+))(?P<rest>/.*)?")
_PULL = re.compile(r"/pulls/(?P<number>\d+)(?P<list>/reviews|/commits)?")
_ACCOUNTS = re.compile(r"/(?:orgs/(?P<org>[^/]+)|organizations/(?P<id>\d+)|users/(?P<user>[^/]+))/repos")
_SSO_REFUSED = (
    "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this "
    "organization."
)
Result = tuple[SimulatedResponse, list[Listed]]


class Rest:
    """Answers the requests of REST about a company."""

    def __init__(
        self,
        company: Company,
        viewer: Account,
        credentials: Credentials,
        windows: Mapping[str, Window],
        knobs: Knobs,
    ) -> None:
        self._company = company
        self._viewer = viewer
        self._credentials = credentials
        self._windows = windows
        self._knobs = knobs

    def answer(self, request: SimulatedRequest, path: str, query: str, caller: Caller) -> Result:
        """Return the answer, and what it is a page of; raises Refusal for an error."""
        prefix = "/api/v3" if self._knobs.is_own_server else ""
        base = f"http://{request.headers.get('host', 'localhost')}{prefix}"
        if path == "/app" or path.startswith("/app/"):
            if caller != "app":
                raise Refusal(401, "A JSON web token could not be decoded")
            return apps.answer(request, path, base, self._company, self._credentials), []
        if request.method not in ("GET", "HEAD"):
            raise Refusal(404, "Not Found")
        if path == "/rate_limit":
            return self._rate_limit(), []
        if caller == "app":
            raise Refusal(403, "Resource not accessible by integration")
        response, listed = self._route(path, _Asked(base, query, Parameters(query), Shapes(base), caller))
        return _conditional(response, request), listed

    def _route(self, path: str, asked: "_Asked") -> Result:
        if found := _BELOW.fullmatch(path):
            return self._below(found, asked)
        if found := _ACCOUNTS.fullmatch(path):
            return self._repositories(found, asked)
        if path == "/installation/repositories":
            return self._of_installation(asked)
        if path == "/user":
            if asked.caller != "user":
                raise Refusal(403, "Resource not accessible by integration")
            return json_answer(asked.shapes.viewer(self._viewer)), []
        raise Refusal(404, "Not Found")

    def _rate_limit(self) -> SimulatedResponse:
        if not self._knobs.has_limits:
            raise Refusal(404, "Rate limiting is not enabled.")
        resources = {
            name: {
                "limit": each.limit,
                "used": each.limit - each.remaining,
                "remaining": each.remaining,
                "reset": each.reset_s,
            }
            for name, each in self._windows.items()
        }
        # The search API is not simulated; the document requires its budget.
        resources["search"] = {"limit": 30, "used": 0, "remaining": 30, "reset": self._windows["core"].reset_s}
        return json_answer({"resources": resources, "rate": resources["core"]})

    def _seen(self, owner: Account | None = None) -> list[Repository]:
        owned = (
            self._company.repositories
            if owner is None
            else [each for each in self._company.repositories if each.owner is owner]
        )
        return [each for each in owned if not each.is_hidden_by_sso]

    def _repositories(self, found: re.Match[str], asked: "_Asked") -> Result:
        account = self._company.account
        login, number = found["org"] or found["user"], found["id"]
        is_account = number == str(account.number) if number else login.lower() == account.login.lower()
        if not is_account or (found["org"] and account.typename != "Organization"):
            raise Refusal(404, "Not Found")
        parameters = asked.parameters
        is_of_user = bool(found["user"])
        if is_of_user:
            sort = parameters.choice("sort", "full_name", "created", "updated", "pushed")
            rows = [each for each in self._seen(account) if not each.is_private]  # as documented: public ones only
            url = f"{asked.base}/users/{login}/repos"
        else:
            sort = parameters.choice("sort", "created", "updated", "pushed", "full_name")
            rows = self._of_type(parameters.choice("type", "all", "public", "private", "forks", "sources", "member"))
            url = f"{asked.base}/organizations/{account.number}/repos"
        direction = parameters.choice("direction", "asc" if sort == "full_name" else "desc", "asc", "desc")
        rows = sorted(rows, key=lambda each: (_REPOSITORY_ORDERS[sort](each), each.id), reverse=direction == "desc")
        answer = parameters.page_of(url, rows, asked.shapes.repository, headers=sso_header(self._company))
        return answer, [Listed("repositories")]

    def _of_type(self, kind: str) -> list[Repository]:
        rows = self._seen(self._company.account)
        return [each for each in rows if _TYPES[kind](each)]

    def _of_installation(self, asked: "_Asked") -> Result:
        if asked.caller != "installation":
            message = "You must authenticate with an installation access token in order to list repositories."
            raise Refusal(403, message)
        rows = self._seen(self._company.account)
        selection = self._credentials.selection
        answer = asked.parameters.page_of(
            f"{asked.base}/installation/repositories",
            rows,
            asked.shapes.repository,
            lambda part: {"total_count": len(rows), "repository_selection": selection, "repositories": part},
        )
        return answer, [Listed("repositories")]

    def _below(self, found: re.Match[str], asked: "_Asked") -> Result:
        rest = found["rest"] or ""
        repository = self._company.find(found["name"]) if found["name"] else self._company.by_id(int(found["id"]))
        if repository is None:
            raise Refusal(404, "Not Found")
        by_id = f"{asked.base}/repositories/{repository.id}{rest}"
        if found["name"] and repository.full_name.lower() != found["name"].lower():
            target = by_id + (f"?{asked.query}" if asked.query else "")
            raise Refusal(301, "Moved Permanently", {"Location": target}, url=target)
        if repository.is_hidden_by_sso:
            header = {"X-GitHub-SSO": f"required; url={asked.base}/orgs/{repository.owner.login}/sso"}
            raise Refusal(403, _SSO_REFUSED, header)
        if not rest:
            return json_answer(asked.shapes.repository_detail(repository)), []
        if repository.is_forbidden:
            right = "contents=read" if rest == "/commits" else "pull_requests=read"
            header = {"X-Accepted-GitHub-Permissions": right}
            raise Refusal(403, "Resource not accessible by personal access token", header)
        if rest == "/commits":
            return self._commits(repository, by_id, asked), [Listed("commits", repository)]
        if rest.startswith("/pulls") and not repository.has_pull_requests:
            raise Refusal(404, "Not Found")
        if rest == "/pulls":
            return self._pulls(repository, by_id, asked), [Listed("pulls", repository)]
        if one := _PULL.fullmatch(rest):
            return self._pull(repository, one, by_id, asked), []
        raise Refusal(404, "Not Found")

    def _commits(self, repository: Repository, url: str, asked: "_Asked") -> SimulatedResponse:
        if repository.is_empty:
            raise Refusal(409, "Git Repository is empty.")
        asked_for = asked.parameters.text("sha") or repository.default_branch
        sha = repository.history[0].sha if asked_for == repository.default_branch else asked_for
        if repository.commit(sha) is None:
            raise Refusal(404, "Not Found")
        since, until = asked.parameters.instant("since") or "", asked.parameters.instant("until") or "9999"
        # As documented for `since` in the field (SOURCES §2.3, R3): it compares the committer's date.
        rows = [each for each in repository.reached_from(sha) if since <= each.committed_at <= until]
        return asked.parameters.page_of(url, rows, lambda each: asked.shapes.commit(repository, each))

    def _pulls(self, repository: Repository, url: str, asked: "_Asked") -> SimulatedResponse:
        parameters = asked.parameters
        state = parameters.choice("state", "open", "closed", "all")
        sort = parameters.choice("sort", "created", "updated", "popularity", "long-running")
        direction = parameters.choice("direction", "desc" if sort == "created" else "asc", "asc", "desc")
        base, head = parameters.text("base"), parameters.text("head")
        rows = [
            each
            for each in repository.pulls
            if (state == "all" or (each.state == "OPEN") == (state == "open"))
            and base in (None, each.base_ref)
            and head in (None, f"{repository.owner.login}:{each.head_ref}")
        ]
        rows.sort(key=lambda each: (_PULL_ORDERS[sort](each), each.id), reverse=direction == "desc")
        return parameters.page_of(url, rows, asked.shapes.pull)

    def _pull(self, repository: Repository, found: re.Match[str], url: str, asked: "_Asked") -> SimulatedResponse:
        pull = repository.pull(int(found["number"]))
        if pull is None:
            raise Refusal(404, "Not Found")
        shapes = asked.shapes
        if found["list"] == "/reviews":
            return asked.parameters.page_of(url, pull.reviews, lambda each: shapes.review(pull, each))
        if found["list"] == "/commits":
            rows = pull.commits[:MOST_COMMITS]
            return asked.parameters.page_of(url, rows, lambda each: shapes.commit(repository, each))
        return json_answer(shapes.pull_detail(pull))


class _Asked:
    """One request of a caller who may ask."""

    def __init__(self, base: str, query: str, parameters: Parameters, shapes: Shapes, caller: Caller) -> None:
        self.base = base
        self.query = query
        self.parameters = parameters
        self.shapes = shapes
        self.caller = caller


def _conditional(response: SimulatedResponse, request: SimulatedRequest) -> SimulatedResponse:
    """Return the answer with its ETag; 304 without a body when the client has it already."""
    tag = f'W/"{hashlib.sha256(response.body).hexdigest()}"'
    headers = {**response.headers, "ETag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return SimulatedResponse(304, b"", response.content_type, headers)
    return replace(response, headers=headers)


_REPOSITORY_ORDERS: Mapping[str, Callable[[Repository], Any]] = {
    "full_name": lambda each: each.full_name.lower(),
    "created": lambda each: each.created_at,
    "updated": lambda each: each.updated_at,
    "pushed": lambda each: each.pushed_at or "",
}
_PULL_ORDERS: Mapping[str, Callable[[PullRequest], Any]] = {
    "created": lambda each: each.created_at,
    "updated": lambda each: each.updated_at,
    "popularity": lambda each: sum(review.comment_count for review in each.reviews),
    "long-running": lambda each: each.created_at,
}
_TYPES: Mapping[str, Callable[[Repository], bool]] = {
    "all": lambda each: True,
    "member": lambda each: True,
    "public": lambda each: not each.is_private,
    "private": lambda each: each.is_private,
    "forks": lambda each: each.is_fork,
    "sources": lambda each: not each.is_fork,
}
