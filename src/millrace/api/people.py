"""Whether people are shown by their names, by pseudonyms, or not at all: a setting of the deployment.

Every row of every answer goes through `shown` before it is sent, and every filter through `names`; so a name that is
hidden is in no row, total, CSV, suggestion, error or entity tag.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any, Literal, Self, cast, get_args

from millrace.errors import ConfigError

PeopleMode = Literal["names", "pseudonyms", "off"]
COLUMNS = ("person", "developer", "user_id", "top_person")
FILTERS = ("person", "developer")
_DIGITS = 12
_KEY_LENGTH = 16


@dataclass(frozen=True, slots=True)
class People:
    """How people are shown. A pseudonym follows from the name and the key alone, so it stays the same."""

    mode: PeopleMode = "names"
    key: str = field(default="", repr=False)

    @classmethod
    def of(cls, mode: str, key: str) -> Self:
        """Return the setting; ConfigError for another mode, and for pseudonyms with a key that can be guessed."""
        mode, key = mode.strip().lower() or "names", key.strip()
        if mode not in get_args(PeopleMode):
            raise ConfigError(f"MILLRACE_PEOPLE: expected names, pseudonyms or off, got {mode!r}")
        if mode == "pseudonyms" and len(key) < _KEY_LENGTH:
            raise ConfigError(
                f"MILLRACE_PEOPLE_KEY: pseudonyms need a key of at least {_KEY_LENGTH} characters, got {len(key)}; "
                "shorter keys can be guessed: openssl rand -hex 16 prints a good one"
            )
        return cls(cast("PeopleMode", mode), key)

    def __str__(self) -> str:
        return self.mode

    def shown(self, name: str | None) -> str | None:
        """Return what is shown of a person's name."""
        if self.mode == "names" or name is None:
            return name
        if self.mode == "off":
            return None
        digest = hmac.new(self.key.encode(), name.encode(), hashlib.sha256).hexdigest()
        return f"person-{digest[:_DIGITS]}"

    def hidden_in(self, answer: Any) -> Any:
        """Return an answer, of dicts and lists, with what is shown of the people in it."""
        if self.mode == "names":
            return answer
        if isinstance(answer, dict):
            return {
                name: self.shown(value) if name in COLUMNS else self.hidden_in(value) for name, value in answer.items()
            }
        return [self.hidden_in(each) for each in answer] if isinstance(answer, list) else answer
