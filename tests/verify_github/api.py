"""GitHub's own numbers of one repository, by requests that share no code with what reads it."""

import re
from dataclasses import dataclass, field
from typing import Any

import requests

from millrace.errors import ConfigError, first_line
from millrace.extract.sources.github.credentials import Edition

_TIMEOUT_S = 60
_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_QUERY = """
query($owner: String!, $name: String!) {
  repository(owner: $owner, name: $name) {
    merged: pullRequests(states: [MERGED]) { totalCount }
    pullRequests(first: 20, orderBy: {field: UPDATED_AT, direction: DESC}) {
      nodes { number updatedAt reviews { totalCount } commits { totalCount } }
    }
  }
}"""


@dataclass
class Api:
    """The API of a repository `owner/name`; `asked` counts the requests."""

    edition: Edition
    repository: str
    token: str = field(repr=False)
    asked: int = 0

    def facts(self) -> dict[str, Any]:
        """Return what GitHub says of the repository itself."""
        found: dict[str, Any] = self._get("").json()
        return found

    def count(self, path: str) -> int:
        """Return the number of rows of a list: that of its last page, with one row a page."""
        answer = self._get(f"/{path}{'&' if '?' in path else '?'}per_page=1", may_be_empty=True)
        if answer.status_code == 409:  # the commits of an empty repository
            return 0
        last = re.search(r"[?&]page=(\d+)", answer.links.get("last", {}).get("url", ""))
        return int(last[1]) if last else len(answer.json())

    def newest(self, path: str) -> list[dict[str, Any]]:
        """Return the first hundred rows of a list."""
        answer = self._get(f"/{path}{'&' if '?' in path else '?'}per_page=100", may_be_empty=True)
        return [] if answer.status_code == 409 else list(answer.json())

    def lists(self) -> dict[str, Any] | None:
        """Return by GraphQL how many are merged, and the lists of those that changed last; None without GraphQL."""
        owner, name = self.repository.split("/")
        body = {"query": _QUERY, "variables": {"owner": owner, "name": name}}
        answer = self._ask("POST", self.edition.graphql, json=body)
        if answer.status_code == 404:
            return None
        found: dict[str, Any] = answer.json()["data"]["repository"]
        return found

    def _get(self, path: str, may_be_empty: bool = False) -> requests.Response:
        answer = self._ask("GET", f"{self.edition.rest}/repos/{self.repository}{path}")
        if answer.status_code != 200 and not (may_be_empty and answer.status_code == 409):
            raise ConfigError(
                f"{self.repository}{path}: GitHub answers {answer.status_code}; check --account, --repository and the "
                "rights of GITHUB_TOKEN (docs/connect-github.md)"
            )
        return answer

    def _ask(self, method: str, path: str, **more: Any) -> requests.Response:
        self.asked += 1
        headers = _HEADERS | {"Authorization": f"Bearer {self.token}"}
        try:
            return requests.request(method, self.edition.base_url + path, headers=headers, timeout=_TIMEOUT_S, **more)
        except requests.RequestException as error:
            raise ConfigError(f"{self.edition.base_url} does not answer: {first_line(error)}") from error
