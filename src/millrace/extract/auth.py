"""How a request is signed: the Authorization header of each way, and its renewal."""

import base64
from dataclasses import dataclass, field
from typing import Protocol

from millrace.errors import ConfigError
from millrace.extract.answers import SourceResponse


class Asking(Protocol):
    """What a credential needs of the client that it signs for, to ask for a new token."""

    def get(self, path: str) -> SourceResponse:
        """Return the answer to a GET."""

    def post(self, path: str, body: object) -> SourceResponse:
        """Return the answer to a POST."""

    def signed(self, auth: "Auth") -> "Asking":
        """Return a client of the same task that signs with other credentials."""


class Auth(Protocol):
    """Credentials of a source. Safe to share between threads; no repr contains a secret."""

    @property
    def advice(self) -> str:
        """What a person does when they are refused."""

    def header(self, client: Asking) -> str:
        """Return the Authorization header; `client` asks for a new token when there is none, or it ends soon."""

    def renew(self, client: Asking, refused: str) -> bool:
        """Return whether there is another header, after the source answered 401 to the one that was `refused`."""


@dataclass(frozen=True, slots=True)
class Basic:
    """A key as the user name, without a password."""

    key: str = field(repr=False)
    advice: str = "set MILLRACE_SOURCE_KEY to a valid one"

    def header(self, client: Asking) -> str:
        """Return the key in the form of RFC 7617."""
        return "Basic " + base64.b64encode(f"{self.key}:".encode()).decode()

    def renew(self, client: Asking, refused: str) -> bool:
        """Return False: a key stays as it is."""
        return False


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token of any form. Raises ConfigError when no header can contain it."""

    token: str = field(repr=False)
    advice: str = "set MILLRACE_SOURCE_KEY to a valid one"

    def __post_init__(self) -> None:
        if not self.token or not self.token.isascii() or not self.token.isprintable() or " " in self.token:
            raise ConfigError(
                "a token is printable ASCII without blanks, but the one that is set is not; copy it again"
            )

    def header(self, client: Asking) -> str:
        """Return the token in the form of RFC 6750."""
        return f"Bearer {self.token}"

    def renew(self, client: Asking, refused: str) -> bool:
        """Return False: a token that a person made is renewed by that person."""
        return False
