"""An answer of a source, and the server's own words in it, without what it may repeat of the key."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from millrace.errors import RequestRejected, RouteNotFound
from millrace.extract import bodies

_SHOWN = 200  # characters of the server's words
_SECRET = 8  # characters: a shorter text is part of many an address
_OF_AN_ERROR = {"error", "message", "code", "status", "documentation_url"}
_ORGANISATION = re.compile(r"/orgs/([A-Za-z0-9-]{1,39})/sso\b")
_PERMISSIONS = re.compile(r"[a-z_]+=[a-z]+(?:[,;] ?[a-z_]+=[a-z]+)*")


@dataclass(frozen=True, slots=True)
class SourceResponse:
    """A JSON body (None with status 204 and 304), and what the headers say.

    `next_path` is the server's link to the next page, `last_page` the number in its link to the last one. `moved_to` is
    the path that a redirect gave in place of the requested one. `is_partial`: GitHub left out organisations that
    require single sign-on of the key. `sent` is the Authorization header of the request, for `shown`.
    """

    body: object
    next_path: str | None = None
    last_page: int | None = None
    status: int = 200
    etag: str | None = None
    moved_to: str | None = None
    is_partial: bool = False
    sent: str = field(default="", repr=False)


def page_in(link: str) -> int | None:
    """Return the number of the page that a link leads to; None when it names none."""
    try:
        (page,) = parse_qs(urlsplit(link).query)["page"]
    except (ValueError, KeyError):
        return None
    return int(page) if page.isascii() and page.isdigit() and len(page) < 10 else None


def value_of(body: bytes) -> object:
    """Return the JSON of a body; None when it is none, or beyond the limits."""
    try:
        return bodies.parsed(body)
    except (ValueError, RecursionError, bodies.TooCostly):
        return None


def is_error(value: object) -> bool:
    """Return whether a body is nothing but the words of an error."""
    return isinstance(value, dict) and bool({"error", "message"} & value.keys()) and value.keys() <= _OF_AN_ERROR


def refusal(
    place: str, status: int, headers: Mapping[str, str], body: bytes, header: str, advice: str
) -> RequestRejected:
    """Return the error for a status from 400 to 499: the server's words, and what a person does about a 401 or 403."""
    words = said(body, header)
    if status == 404:
        return RouteNotFound(f"{place}: 404, {words}", status=status)
    if status == 401:
        return RequestRejected(f"{place}: 401, the key was refused; {advice}; it says {words}", status=status)
    if status == 403:
        return RequestRejected(f"{place}: 403, {_missing(headers, advice)}; it says {words}", status=status)
    return RequestRejected(f"{place}: {status}, {words}", status=status)


def _missing(headers: Mapping[str, str], advice: str) -> str:
    """Return what a 403 says that the key lacks."""
    if headers.get("X-GitHub-SSO", "").startswith("required"):
        found = _ORGANISATION.search(headers["X-GitHub-SSO"])
        whose = f"the organisation {found[1]}" if found else "the organisation"
        return f"the key is not authorised for the single sign-on of {whose}; authorise it in the token's settings"
    permissions = headers.get("X-Accepted-GitHub-Permissions", "")
    if _PERMISSIONS.fullmatch(permissions):
        return f"the key lacks a permission ({permissions}); grant it"
    return f"the key was refused; {advice}"


def said(body: bytes, header: str) -> str:
    """Return the server's error message, in any of its formats, shortened and safe for one log line.

    `header` is the Authorization header of the request: what it contains is replaced by ***.
    """
    try:
        words: Any = bodies.parsed(body)
        words = next((words[name] for name in ("message", "error") if name in words), words)
    except (ValueError, TypeError, RecursionError, bodies.TooCostly):
        words = body.decode("utf-8", "replace")
    return shown(str(words), header)


def shown(text: str, header: str) -> str:
    """Return a text of the server as `said` does."""
    text = text.strip()
    for secret in forms_of(header):
        text = text.replace(secret, "***")
    return repr(text[:_SHOWN])


def has_secret(link: str, header: str) -> bool:
    """Return whether an address repeats the secret of an Authorization header."""
    texts = link.lower(), unquote(link).lower()
    return any(form.lower() in text for form in forms_of(header) if len(form) >= _SECRET for text in texts)


def forms_of(header: str) -> list[str]:
    """Return the forms in which a server may repeat an Authorization header's secret, the longest first."""
    credential = header.partition(" ")[2]
    forms = {credential, credential.rstrip("=")}
    if header.startswith("Basic "):
        try:
            key = base64.b64decode(credential).decode().removesuffix(":")
        except (binascii.Error, UnicodeDecodeError):
            key = ""
        encoded = base64.b64encode(key.encode()).decode()
        forms |= {key, encoded, encoded.rstrip("="), json.dumps(key)[1:-1], quote(key, safe="")}
    return sorted(forms - {""}, key=len, reverse=True)
