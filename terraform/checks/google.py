"""Requests to Google's APIs with the Application Default Credentials, and the meaning of their errors.

An API's address can be overridden as for gcloud, by CLOUDSDK_API_ENDPOINT_OVERRIDES_<API>, and for tests only.
"""

import logging
import os
import threading
from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar

import google.auth
import requests
from google.auth import exceptions
from google.auth.transport.requests import Request
from google.oauth2.credentials import Credentials as UserCredentials

from millrace.errors import first_line
from millrace.extract.http_client import connections
from millrace.extract.transport import TooSlow

TIMEOUT_S = 10.0
_SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
_ADDRESSES = {"oauth2": "https://www.googleapis.com/", "storage": "https://storage.googleapis.com/storage/v1/"}
_DISABLED = ("SERVICE_DISABLED", "accessNotConfigured")
T = TypeVar("T")


class Unanswered(Exception):
    """An API returned no usable answer; the message has the reason."""


class NotSignedIn(Exception):
    """There are no usable credentials; the message has the reason."""


class Refused(Exception):
    """An API refused a request."""

    def __init__(self, api: str, status: int, reason: str, message: str) -> None:
        super().__init__(f"{api}: {status}, {message}")
        self.api = api
        self.status = status
        self.message = message
        self.is_disabled = status == 403 and reason in _DISABLED


class Google:
    """Google's APIs, called by one account; safe to share between threads."""

    def __init__(self, credentials: Any, timeout_s: float = TIMEOUT_S) -> None:
        self._credentials = credentials
        self._timeout_s = timeout_s
        self._lock = threading.Lock()

    @classmethod
    def sign_in(cls, project: str, timeout_s: float = TIMEOUT_S) -> "Google":
        """Return the APIs for the Application Default Credentials.

        Raises NotSignedIn without usable credentials, Unanswered where the service of tokens cannot be reached.
        """
        logging.getLogger("google.auth._default").setLevel(logging.ERROR)  # the project is a setting, not a default
        try:
            credentials, _ = google.auth.default(scopes=_SCOPES)
        except exceptions.DefaultCredentialsError as error:
            raise NotSignedIn(first_line(error)) from None
        signed_in = cls(with_quota(credentials, project), timeout_s)
        signed_in._headers()
        return signed_in

    def account(self) -> str | None:
        """Return the e-mail address of the account; None when it is not known."""
        held = getattr(self._credentials, "service_account_email", None) or getattr(self._credentials, "account", None)
        if held and "@" in held:
            return str(held)
        try:
            return part(self.get("oauth2", "oauth2/v2/userinfo"), "email", str, "") or None
        except (Refused, Unanswered):
            return None

    def get(self, api: str, path: str, **query: str | list[str]) -> dict[str, Any]:
        """Return the answer to a GET; Refused or Unanswered without one."""
        return self._send("GET", api, path, query, None)

    def post(self, api: str, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Return the answer to a POST; Refused or Unanswered without one."""
        return self._send("POST", api, path, {}, body)

    def _send(
        self, method: str, api: str, path: str, query: Mapping[str, Any], body: Mapping[str, object] | None
    ) -> dict[str, Any]:
        address = os.environ.get(f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api.upper()}") or _ADDRESSES.get(
            api, f"https://{api}.googleapis.com/"
        )
        try:
            with connections(self._timeout_s) as session:
                answer = session.request(
                    method,
                    address + path,
                    params=query,
                    json=body,
                    headers=self._headers(),
                    timeout=self._timeout_s,
                    allow_redirects=False,
                )
        except (requests.Timeout, TooSlow):
            raise Unanswered(f"{api}: no answer within {self._timeout_s:.0f} s") from None
        except requests.RequestException as error:
            raise Unanswered(f"{api}: not reached ({type(error).__name__})") from None
        return _read(api, answer)

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        try:
            with self._lock:
                self._credentials.before_request(partial(Request(), timeout=self._timeout_s), "GET", "", headers)
        except exceptions.TransportError as error:
            raise Unanswered(f"the service of tokens: {first_line(error)}") from None
        except exceptions.GoogleAuthError as error:
            raise NotSignedIn(first_line(error)) from None
        return headers


def with_quota(credentials: Any, project: str) -> Any:
    """Return credentials whose calls use the quota of a project, if they are a person's and name none."""
    # Some APIs refuse a person's call without such a project; an account of a project has its own.
    if isinstance(credentials, UserCredentials) and not credentials.quota_project_id:
        return credentials.with_quota_project(project)
    return credentials


def _read(api: str, answer: requests.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Unanswered(f"{api}: status {answer.status_code}, expected a JSON object")
    if answer.status_code == 200:
        return body
    error = part(body, "error", dict, {})
    details = [each for each in part(error, "details", list, []) if isinstance(each, dict)]
    details += [each for each in part(error, "errors", list, []) if isinstance(each, dict)]  # of older APIs
    reason = next((each["reason"] for each in details if isinstance(each.get("reason"), str)), "")
    message = part(error, "message", str, "") or "no message"
    raise Refused(api, answer.status_code, reason, message.splitlines()[0][:300])


def part(answer: Mapping[str, Any], name: str, kind: type[T], default: T) -> T:
    """Return a field of an answer, or the default without it; Unanswered when it is of another type."""
    value: object = answer.get(name, default)
    if not isinstance(value, kind):
        raise Unanswered(f"the answer's {name}: expected {kind.__name__}, got {type(value).__name__}")
    return value


def required(answer: Mapping[str, Any], name: str, kind: type[T]) -> T:
    """Return a field that an answer must have; Unanswered without it, or when it is of another type."""
    if name not in answer:
        raise Unanswered(f"the answer has no {name}")
    value: T = part(answer, name, kind, answer[name])
    return value


def objects(answer: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return a list of objects of an answer, empty without one; Unanswered when it is anything else."""
    found = part(answer, name, list, [])
    if not all(isinstance(each, dict) for each in found):
        raise Unanswered(f"the answer's {name}: expected a list of objects")
    return found
