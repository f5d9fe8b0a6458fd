"""The sources with an account, of the variable `sources`: their settings, and how their APIs are asked."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from terraform.checks.settings import Settings, WrongSettings

from millrace import config
from millrace.addresses import source_url
from millrace.errors import ConfigError
from millrace.extract.budget import RateBudget, Sleep
from millrace.extract.graphql import GraphQL
from millrace.extract.http_client import SourceClient, connections
from millrace.extract.sources.github import credentials
from millrace.extract.sources.github.source import GitHubSource

GITHUB = "https://api.github.com"
_LONGEST_KEY = 10  # in a name; sources.tf shortens others alike
_ANSWER_S = 20.0


@dataclass(frozen=True, slots=True)
class Account:
    """One source: its key in the variable, its account, and its secret (None: it is not given here)."""

    key: str
    account: str
    url: str
    app_id: str | None
    repositories: tuple[str, ...]
    secret: str | None = field(repr=False)

    @property
    def label(self) -> str:
        """Return the begin of the names of its functions and its schedule, after the prefix."""
        digest = hashlib.sha1(self.key.encode(), usedforsecurity=False).hexdigest()
        return f"gh-{self.key if len(self.key) <= _LONGEST_KEY else f'{self.key[:4]}-{digest[:5]}'}"

    def asked(self, retry: Sleep = time.sleep, limit: Sleep = time.sleep) -> GitHubSource:
        """Return the source as the extract functions have it; ConfigError without a usable address or secret.

        `retry` waits before another attempt, `limit` until the source allows one; both take seconds.
        """
        if self.secret is None:
            raise ConfigError(f"TF_VAR_source_keys has no secret of {self.key}")
        edition = credentials.edition_of(source_url(self.url, config.may_be_insecure()))
        token, app_key = ("", self.secret) if self.app_id else (self.secret, "")
        auth = credentials.auth_of(token, self.app_id or "", app_key, self.account, edition)
        budget = RateBudget(None, 1, sleep=limit)
        session = connections(_ANSWER_S)
        client = SourceClient(
            edition.base_url, auth, budget, _ANSWER_S, session, sleep=retry, headers=credentials.HEADERS
        )
        return GitHubSource(GraphQL(client, edition.graphql), self.account, edition.rest)


def accounts(settings: Settings) -> list[Account]:
    """Return the sources of a deployment by their keys; WrongSettings for what Terraform would refuse."""
    given, secrets = _map(settings, "sources"), _map(settings, "source_keys")
    return [_account(key, given[key], secrets.get(key)) for key in sorted(given)]


def account_of(settings: Settings, key: str) -> Account:
    """Return the source with a key; WrongSettings where there is none."""
    found = {each.key: each for each in accounts(settings)}
    if key not in found:
        raise WrongSettings(
            f"--source {key}: expected a key of the variable sources: {', '.join(found) or 'it is empty'}"
        )
    return found[key]


def _account(key: str, fields: object, secret: object) -> Account:
    if not isinstance(fields, dict) or fields.get("kind") != "github":
        raise WrongSettings(f'sources: expected {key} = {{ kind = "github" }}')
    repositories = fields.get("repositories") or []
    if not isinstance(repositories, list):
        raise WrongSettings(f"sources: expected a list of names as repositories of {key}")
    app_id = fields.get("app_id")
    return Account(
        key,
        str(fields.get("owner") or key).lower(),
        str(fields.get("url") or GITHUB),
        None if app_id is None else str(app_id),
        tuple(map(str, repositories)),
        str(secret) if secret else None,
    )


def _map(settings: Settings, name: str) -> Mapping[str, Any]:
    value = settings.values.get(name) or {}
    if not isinstance(value, dict):
        raise WrongSettings(f"{name}: expected a map")
    return value
