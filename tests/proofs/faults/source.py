"""The source of a schedule: a simulator answered in process, which grows and fails as the schedule decides."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from tests.proofs.faults.scheduler import Scheduler
from urllib3 import HTTPResponse

import simulator
from simulator.api import DEFAULT_KEY, SimulatedApi

URL = "http://source.test"
KEY = DEFAULT_KEY
START = datetime(2026, 11, 18, 9, tzinfo=UTC)  # a Wednesday: people work
SEEDS = 4
VERSIONS = 4
GROWTH = timedelta(hours=8)
_ASKED = requests.Request(url=URL).prepare()


@cache
def version(seed: int, number: int) -> simulator.World:
    """Return a tiny world at one of its instants: with each version rows are added and open ones change."""
    end = START + number * GROWTH
    days = (end.date() - START.date()).days + 2
    # Half of the authors have no e-mail, so none of their lists has a stable order.
    return simulator.generate(developers=2, days=days, seed=seed, end=end, clone_share=0.5)


class Source(BaseAdapter):
    """Answers requests for the current version of a world; `grow` makes it the next one."""

    def __init__(self, seed: int, scheduler: Scheduler | None, number: int = 0) -> None:
        super().__init__()
        self.number = number
        self._seed = seed
        self._scheduler = scheduler
        self._real = HTTPAdapter()
        self._api = SimulatedApi(version(seed, number))

    @property
    def world(self) -> simulator.World:
        """The current version."""
        return self._api.world

    def grow(self) -> None:
        """Move on to the next version; the dice that shuffle the pages stay."""
        self.number += 1
        self._api.world = version(self._seed, self.number)

    def send(self, request: requests.PreparedRequest, *args: object, **kwargs: object) -> requests.Response:
        """Answer one request."""
        if self._scheduler is None:
            return self._answer(request)
        return self._scheduler.call("source.send", lambda: self._troubled(request))

    def close(self) -> None:
        """No-op: nothing is open."""

    def _troubled(self, request: requests.PreparedRequest) -> requests.Response:
        scheduler = self._scheduler
        assert scheduler is not None
        if scheduler.agenda and scheduler.agenda[0][0] == GROWS and scheduler.trouble("grows while it is read", 2):
            scheduler.begin_next(scheduler.agenda)
        troubles: list[Callable[[requests.PreparedRequest], requests.Response]] = [
            self._answer,
            lambda request: self._said(429, b"{}", {"Retry-After": "1"}),
            lambda request: self._said(500, b'{"error": "internal server error"}'),
            lambda request: self._said(200, b"<html>502</html>", {"Content-Type": "text/html"}),
            self._half,
            self._truncated,
            self._dropped,
        ]
        return troubles[scheduler.trouble("source answers", len(troubles))](request)

    def _answer(self, request: requests.PreparedRequest) -> requests.Response:
        return self._said(200, *self._given(request))

    def _given(self, request: requests.PreparedRequest) -> tuple[bytes, dict[str, str], int]:
        target = str(request.url).removeprefix(URL)
        given, _ = self._api.answer(target, request.headers["Authorization"])
        return given.body, {"Content-Type": given.content_type, **given.headers}, given.status

    def _half(self, request: requests.PreparedRequest) -> requests.Response:
        body, headers, _ = self._given(request)
        return self._said(200, body[: len(body) // 2], headers)

    def _truncated(self, request: requests.PreparedRequest) -> requests.Response:
        body, headers, _ = self._given(request)
        return self._said(200, body[:-1], headers | {"Content-Length": str(len(body))})

    def _dropped(self, request: requests.PreparedRequest) -> requests.Response:
        raise requests.ConnectionError("the connection was dropped")

    def _said(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, given: int | None = None
    ) -> requests.Response:
        raw = HTTPResponse(
            io.BytesIO(body),
            headers={"Content-Type": "application/json"} | (headers or {}),
            status=given or status,
            preload_content=False,
            request_method="GET",
            enforce_content_length=True,
        )
        raw_response: requests.Response = self._real.build_response(_ASKED, raw)
        return raw_response


GROWS = "the source grows"
