"""Where GitHub's API is, and how a request to it is signed: by a token, or by an App that asks for one."""

from collections.abc import Callable
from dataclasses import dataclass

from millrace.extract.auth import Asking, Auth, Bearer
from millrace.extract.http_client import SourceClient

API_VERSION = "2022-11-28"
HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": API_VERSION}


@dataclass(frozen=True, slots=True)
class Edition:
    """Where the API of a GitHub is: one base address, and below it the paths of REST ("" or "/v3") and of GraphQL."""

    base_url: str
    rest: str = ""
    graphql: str = "/graphql"


def edition_of(url: str) -> Edition:
    """Return where the API is, from the address of github.com, of SUB.ghe.com, or of an own server.

    Raises ConfigError for an address with another path.
    """
    raise NotImplementedError


class App:
    """Credentials of a GitHub App: tokens of its installation for one account, which live an hour.

    `repository_selection` is "all" or "selected" after the first request: with "selected" the account may have
    repositories that nobody can see here. `advice` is for a person.
    """

    advice = "check MILLRACE_GITHUB_APP_ID and MILLRACE_GITHUB_APP_KEY"

    def __init__(self, app_id: str, key: str, account: str, rest: str, clock: Callable[[], float]) -> None:
        self.repository_selection: str | None = None

    def header(self, client: Asking) -> str:
        """Return the header of the current token, or of a new one."""
        raise NotImplementedError

    def renew(self, client: Asking, refused: str) -> bool:
        """Ask for a new token, unless there is another one than the refused one already."""
        raise NotImplementedError


__all__ = ["App", "Auth", "Bearer", "Edition", "SourceClient", "edition_of"]
