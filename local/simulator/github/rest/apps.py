"""The routes of a GitHub App: its installation, and tokens of it."""

import json
import re
from typing import Any

from simulator.answers import SimulatedRequest, SimulatedResponse
from simulator.github.credentials import INSTALLATION, Credentials
from simulator.github.model import Company
from simulator.github.rest.shapes import Shapes
from simulator.github.wire import Refusal, json_answer

_TOKENS = re.compile(r"/app/installations/(\d+)/access_tokens")
_PERMISSIONS = {"metadata": "read", "pull_requests": "read", "contents": "read"}
_SINCE = "2026-01-01T00:00:00Z"


def answer(
    request: SimulatedRequest, path: str, base: str, company: Company, credentials: Credentials
) -> SimulatedResponse:
    """Return the answer to an App; raises Refusal for an error."""
    if request.method == "POST" and (found := _TOKENS.fullmatch(path)):
        if int(found[1]) != INSTALLATION:
            raise Refusal(404, "Not Found")
        return _token(request.body, company, credentials)
    if request.method == "GET" and path == "/app":
        return json_answer(_app(base, company, credentials))
    if request.method == "GET" and path == "/app/installations":
        return json_answer([_installation(base, company, credentials)])
    raise Refusal(404, "Not Found")


def _token(body: bytes, company: Company, credentials: Credentials) -> SimulatedResponse:
    try:
        wanted = json.loads(body) if body else {}
    except ValueError:
        raise Refusal(400, "Problems parsing JSON") from None
    known = {each.name for each in company.repositories}
    if unknown := sorted(set(wanted.get("repositories", ())) - known):
        raise Refusal(422, f"There is at least one repository that does not exist or is not accessible: {unknown}")
    if more := {
        name: right for name, right in wanted.get("permissions", {}).items() if _PERMISSIONS.get(name) != right
    }:
        raise Refusal(422, f"The permissions requested are not granted to this installation: {sorted(more)}")
    token, expires_at = credentials.mint()
    return json_answer(
        {
            "token": token,
            "expires_at": expires_at,
            "permissions": wanted.get("permissions") or _PERMISSIONS,
            "repository_selection": "selected" if wanted.get("repositories") else credentials.selection,
        },
        201,
    )


def _app(base: str, company: Company, credentials: Credentials) -> dict[str, Any]:
    return {
        "id": int(credentials.app.id) if credentials.app else 0,
        "slug": "reader",
        "node_id": "A_1",
        "owner": Shapes(base).account(company.account),
        "name": "Reader",
        "description": None,
        "external_url": base,
        "html_url": f"{base}/apps/reader",
        "created_at": _SINCE,
        "updated_at": _SINCE,
        "permissions": _PERMISSIONS,
        "events": [],
    }


def _installation(base: str, company: Company, credentials: Credentials) -> dict[str, Any]:
    return {
        "id": INSTALLATION,
        "app_id": int(credentials.app.id) if credentials.app else 0,
        "app_slug": "reader",
        "target_id": company.account.number,
        "target_type": company.account.typename,
        "account": Shapes(base).account(company.account),
        "repository_selection": credentials.selection,
        "access_tokens_url": f"{base}/app/installations/{INSTALLATION}/access_tokens",
        "repositories_url": f"{base}/installation/repositories",
        "html_url": f"{base}/organizations/{company.account.login}/settings/installations/{INSTALLATION}",
        "permissions": _PERMISSIONS,
        "events": [],
        "created_at": _SINCE,
        "updated_at": _SINCE,
        "single_file_name": None,
        "suspended_by": None,
        "suspended_at": None,
    }
