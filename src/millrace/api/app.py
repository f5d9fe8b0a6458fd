"""The read API: routes over the published marts, the status, and a page that shows both.

Each reply is made from one publication. It is cached under that publication, the route and all parameters. The same
request gets it from memory, until the next publication.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from importlib.resources import files
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from millrace import log
from millrace.api import definitions
from millrace.api.answers import Problem
from millrace.api.filters import Filters, NoFilters
from millrace.api.plans import QueryPlan
from millrace.api.replies import Reply, ResponseCache, as_csv, problem
from millrace.api.routes import ROUTES, Route
from millrace.errors import MillraceError
from millrace.status import remedies
from millrace.status.state import Status
from millrace.terminal import printable_json
from millrace.warehouse.reading import Reader, Snapshot

_STATUS_LASTS_S = 1.0
_GoOn = Callable[[Request], Awaitable[Response]]
_JSON, _CSV = "application/json", "text/csv; charset=utf-8"
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_KINDS = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}
_SAID = {
    name: {"description": what, "schema": {"type": "string"}}
    for name, what in {
        "ETag": "What names the answer, for If-None-Match.",
        "Millrace-As-Of": "As `as_of` in JSON; empty when unknown.",
        "Millrace-Built-Through": "As `built_through` in JSON; empty when unknown.",
        "Millrace-Source": "As `source` in JSON.",
    }.items()
}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": what, "content": {"application/problem+json": {"schema": Problem.model_json_schema()}}}
    for status, what in {
        400: "Unknown host.",
        422: "Invalid parameter.",
        500: "The program failed.",
        503: "Nothing is published, or the warehouse does not respond.",
    }.items()
}


@dataclass
class Api:
    """The dependencies of the routes, and the place that their remedies are for.

    The marts in `without` are computed from the facts even if they exist.
    """

    reader: Reader
    status: Callable[[], Status]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    cache: ResponseCache = field(default_factory=ResponseCache)
    without: frozenset[str] = frozenset()
    place: remedies.Location = remedies.DEPLOYMENT

    def answer(self, route: Route, filters: Filters) -> Reply:
        """Return the reply to a request, from memory or from the marts."""
        now, zone = self.now(), definitions.load().reporting_time_zone
        dated, today = filters.dated(now, zone), now.astimezone(ZoneInfo(filters.tz or zone)).date()
        question = (route.path, today.isoformat(), dated.model_dump_json())

        def make(snapshot: Snapshot) -> tuple[tuple[str, ...], Reply]:
            return (snapshot.version, *question), self._made(route, dated, snapshot, today)

        return self.cache.get((self.reader.version(), *question), lambda: self.reader.read(make))

    def _made(self, route: Route, filters: Filters, snapshot: Snapshot, today: date) -> Reply:
        build = snapshot.build
        plan = QueryPlan(snapshot, definitions.load(), self.without, today=today)
        said = {"as_of": build.as_of, "built_through": build.built_through}
        shape: Any = route.shape.model_validate(route.answers(plan, filters) | said)
        if filters.format == "csv":
            body, kind = as_csv(shape.rows, list(route.columns)), _CSV
        else:
            body, kind = printable_json(shape.model_dump_json(by_alias=True)).encode(), _JSON
        return Reply.of(body, kind, shape.source, build.as_of, build.built_through)


def create(api: Api, hosts: tuple[str, ...] = ("*",)) -> FastAPI:
    """Create the application; `hosts` are the host names that it accepts."""

    @asynccontextmanager
    async def closing(_: FastAPI) -> AsyncIterator[None]:
        yield
        api.reader.close()

    app = FastAPI(
        lifespan=closing,
        title="Millrace",
        description="What AI-assisted development does and costs, and whether the numbers can be trusted.",
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would contain the host name that the caller sent
    )
    app.middleware("http")(_guarding(hosts))
    app.add_middleware(_Heads)
    for route in ROUTES:
        _add(app, api, route)
    _add_status(app, api)
    _add_page(app)
    _add_health(app)
    app.add_exception_handler(RequestValidationError, _refuse)
    app.add_exception_handler(HTTPException, _tell)
    app.add_exception_handler(MillraceError, _waiting(api.place))
    return app


def _add(app: FastAPI, api: Api, route: Route) -> None:
    def endpoint(request: Request, filters: Annotated[Filters, Query()]) -> Response:
        return api.answer(route, filters).to(request)

    endpoint.__annotations__["filters"] = Annotated[route.filters, Query()]
    answer = {
        "model": route.shape,
        "content": {"text/csv": {"schema": {"type": "string"}}},
        "description": "The answer.",
        "headers": _SAID,
    }
    app.get(
        f"/api/{route.path}",
        summary=route.summary,
        description=route.description,
        operation_id=route.path.replace("/", "_").replace("-", "_"),
        response_class=Response,
        responses={200: answer, 304: {"description": "It is as it was.", "headers": _SAID}, **_PROBLEMS},
    )(endpoint)


def _add_status(app: FastAPI, api: Api) -> None:
    adapter = TypeAdapter(Status)
    cache = ResponseCache(max_bytes=1 << 20)

    def endpoint(request: Request, _: Annotated[NoFilters, Query()]) -> Response:
        def make() -> tuple[int, Reply]:
            status = api.status()
            body = printable_json(adapter.dump_json(status).decode()).encode()
            return tick, Reply.of(body, _JSON, status.store or "", status.as_of, status.built_through)

        tick = int(time.monotonic() / _STATUS_LASTS_S)
        return cache.get(tick, make).to(request)

    app.get(
        "/api/etl/status",
        summary="Say whether the numbers can be trusted.",
        description="What is loaded and not in the marts yet, what has not come for long, and what to do about it.",
        operation_id="etl_status",
        response_class=Response,
        responses={
            200: {"model": Status, "description": "The answer.", "headers": _SAID},
            304: {"description": "It is as it was.", "headers": _SAID},
            **_PROBLEMS,
        },
    )(endpoint)


def _add_page(app: FastAPI) -> None:
    """Serve the page and its files, which are read once."""
    folder = files(__package__).joinpath("page")
    parts = {each.name: each.read_bytes() for each in folder.iterdir() if each.name[each.name.rfind(".") :] in _KINDS}

    def part(name: str, request: Request) -> Response:
        if name not in parts:
            raise HTTPException(404)
        kind = _KINDS[name[name.rfind(".") :]]
        return Reply.of(parts[name], f"{kind}; charset=utf-8", "page", None, None).to(request)

    def index(request: Request) -> Response:
        return part("index.html", request)

    app.get("/", include_in_schema=False)(index)
    app.get("/page/{name}", include_in_schema=False)(part)


def _add_health(app: FastAPI) -> None:
    """Answer the platform's probe, which asks whether the process serves, not whether its data can be read."""

    async def health() -> Response:
        return Response("ok", media_type="text/plain")

    app.get("/health", include_in_schema=False)(health)


class _Heads:
    """Middleware that answers HEAD as GET, without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def bare(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app({**scope, "method": "GET"}, receive, bare)


def _guarding(hosts: tuple[str, ...]) -> Callable[[Request, _GoOn], Awaitable[Response]]:
    """Return middleware that accepts only these host names, turns errors into problems, and adds common headers."""

    async def guard(request: Request, go_on: _GoOn) -> Response:
        name = request.headers.get("Host", "").lower().partition(":")[0]
        with log.request(request.headers):
            try:
                response = await go_on(request) if "*" in hosts or name in hosts else _refuse_name(hosts)
            except Exception as error:  # noqa: BLE001 an entry point: no outer code adds the next step
                response = _fail(request, error)
        response.headers.update(_HEADERS)
        return response

    return guard


def _refuse_name(hosts: tuple[str, ...]) -> Response:
    return problem(400, "Unknown host", f"expected the host {' or '.join(hosts)}", f"use {hosts[0]}")


def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 it is registered for those
    said = "; ".join(f"{'.'.join(map(str, each['loc'][1:])) or 'query'}: {each['msg']}" for each in error.errors()[:5])
    return problem(422, "Invalid parameter", said[:1000], "see /openapi.json for what the route takes")


def _tell(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 it is registered for those
    next_step = "the routes are those of /openapi.json, and are read by GET"
    detail = f"{request.method} is not answered there"
    headers = {"Allow": "GET, HEAD"} if error.status_code == 405 else error.headers
    return problem(error.status_code, error.detail, detail, next_step, headers)


def _waiting(place: remedies.Location) -> Callable[[Request, Exception], Response]:
    """Return the handler for marts or a status that cannot be read, with the remedy for the place."""

    def wait(_: Request, error: Exception) -> Response:
        step = error.step if isinstance(error, MillraceError) else None
        advice = "try again; else see /api/etl/status" if step is None else remedies.remedy(step, place)
        return problem(503, "The marts cannot be read now", str(error), advice)

    return wait


def _fail(request: Request, error: Exception) -> Response:
    """Log where the request failed. The error's message may contain rows: it is neither logged nor returned."""
    log.unforeseen("api", error, "not logged: it may contain rows", path=request.url.path)
    return problem(500, "The program failed", "it is in the log", "try other parameters, and tell who operates it")
