"""A simulated GitHub whose answers are changed on their way, for what no server can be brought to say at will."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from tests.extract.github.reading import source_of
from urllib3 import HTTPResponse

from millrace.extract.sources.github.source import GitHubSource
from simulator.github import Company, Knobs, Served, served

Change = Callable[[dict[str, Any]], None]
"""Changes an answer in place."""
_GRAPHQL = "/graphql"


class _Changing(HTTPAdapter):
    def __init__(self, change: Change, path: str) -> None:
        super().__init__()
        self._change = change
        self._path = path

    def send(self, request: requests.PreparedRequest, *args: Any, **named: Any) -> requests.Response:
        response = super().send(request, *args, **named)
        body = response.json() if str(request.url).endswith(self._path) else None
        if not isinstance(body, dict) or (self._path == _GRAPHQL and not isinstance(body.get("data"), dict)):
            return response
        self._change(body)
        raw = HTTPResponse(
            io.BytesIO(json.dumps(body).encode()),
            headers={"Content-Type": "application/json"},
            status=response.status_code,
            preload_content=False,
        )
        return self.build_response(request, raw)


@contextmanager
def changed(
    company: Company, change: Change, knobs: Knobs | None = None, path: str = _GRAPHQL
) -> Iterator[tuple[GitHubSource, Served]]:
    """Yield the source of a simulated GitHub whose answers at a path are changed, and that GitHub."""
    with served(company, knobs) as github:
        source = source_of(github)
        source.graphql.client.session.mount("http://", _Changing(change, path))
        yield source, github


def repository_in(body: dict[str, Any]) -> dict[str, Any]:
    """Return the repository of an answer; an empty object where there is none."""
    found: dict[str, Any] = body["data"].get("repository") or {}
    return found


def nodes_in(body: dict[str, Any], name: str = "pullRequests") -> list[dict[str, Any]]:
    """Return the nodes of a list of the repository of an answer, and those that were asked for by id."""
    listed = repository_in(body).get(name) or {}
    by_id = body["data"].get("nodes") if name == "pullRequests" else None
    return [node for node in [*(listed.get("nodes") or []), *(by_id or [])] if node]
