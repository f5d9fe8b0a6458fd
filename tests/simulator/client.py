"""A client for the simulator."""

import base64
from dataclasses import dataclass
from typing import Any

import requests

from simulator.api import DEFAULT_KEY


@dataclass
class Client:
    """Requests to one simulator, with its key by default."""

    url: str
    session: requests.Session

    def get(self, path: str, authorization: str | None = "key", method: str = "GET") -> requests.Response:
        headers = {}
        if authorization == "key":
            authorization = basic(f"{DEFAULT_KEY}:")
        if authorization:
            headers["Authorization"] = authorization
        return self.session.request(method, self.url + path, headers=headers, timeout=600)

    def json(self, path: str) -> Any:
        return self.get(path).json()


def basic(credentials: str) -> str:
    return "Basic " + base64.b64encode(credentials.encode()).decode()
