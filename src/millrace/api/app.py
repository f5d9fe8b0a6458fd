"""The read API: routes over the published marts, the status, and a page that shows both.

Each reply is made from one publication. It is cached under that publication, the route and all parameters. The same
request gets it from memory, until the next publication.
"""

import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
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
from millrace.api import definitions, document, paging, refusals
from millrace.api.answers import MONEY_AS_TEXT
from millrace.api.filters import Filters, NoFilters
from millrace.api.names import Names, Refused
from millrace.api.people import PeopleMode
from millrace.api.plans import QueryPlan
from millrace.api.replies import Reply, ResponseCache, of_csv, problem, wants_csv
from millrace.api.routes import ROUTES, Route
from millrace.errors import MillraceError, Step
from millrace.status import remedies, state
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
        "Millrace-Total-Count": "As `total_count` in JSON.",
    }.items()
}


@dataclass(frozen=True, slots=True)
class Remedies:
    """The next steps of the page's empty states, for the place that serves it; a command follows `type: `."""

    connect: str
    collect: str
    map_project: str
    map_user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(state.Status):
    """The whole status, how people are shown, and what begins or mends what the page lacks."""

    people: PeopleMode
    remedies: Remedies


@dataclass
class Api:
    """The dependencies of the routes, and the place that their remedies are for.

    The marts in `without` are computed from the facts even if they exist.
    """

    reader: Reader
    status: Callable[[], state.Status]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    cache: ResponseCache = field(default_factory=ResponseCache)
    without: frozenset[str] = frozenset()
    place: remedies.Location = remedies.DEPLOYMENT
    names: Names = field(default_factory=Names)

    def answer(self, route: Route, filters: Filters) -> Reply:
        """Return the reply to a request, from memory or from the marts; Refused for a name that is unknown."""
        if route.lists_people and self.names.people.mode == "off":
            raise Refused("this deployment shows no people", "ask for /api/repositories", 403, "People are off")
        now, zone = self.now(), definitions.load().reporting_time_zone
        dated, today = filters.dated(now, zone), now.astimezone(ZoneInfo(filters.tz or zone)).date()
        question = (route.path, today.isoformat(), dated.model_dump_json())

        def make(snapshot: Snapshot) -> tuple[tuple[str, ...], Reply]:
            return (snapshot.version, *question), self._made(route, dated, snapshot, today)

        return self.cache.get((self.reader.version(), *question), lambda: self.reader.read(make))

    def _made(self, route: Route, asked: Filters, snapshot: Snapshot, today: date) -> Reply:
        build, people = snapshot.build, self.names.people
        plan = QueryPlan(snapshot, definitions.load(), self.without, today=today, people=people)
        filters = self.names.resolved(plan, asked)
        answer = route.answers(plan, filters) | {"as_of": build.as_of, "built_through": build.built_through}
        if filters.format == "csv":
            row = route.row
            rows = (row.model_validate(people.hidden_in(each)) for each in _at_most(answer))
            said = answer["source"], build.as_of, build.built_through, answer["total_count"]
            reply = of_csv(rows, list(route.columns), _CSV, *said)
        else:
            shape: Any = route.shape.model_validate(people.hidden_in(answer))
            context = MONEY_AS_TEXT if filters.money == "text" else None
            body = printable_json(shape.model_dump_json(by_alias=True, context=context)).encode()
            reply = Reply.of(body, _JSON, shape.source, build.as_of, build.built_through, shape.total_count)
        return reply.with_next(filters.offset + (filters.limit or 0) if answer["has_more"] else None)


def _at_most(answer: dict[str, Any]) -> Any:
    """Return the rows of an answer; Refused where they are too many for one file."""
    if answer["limit"] is None and answer["total_count"] - answer["offset"] > paging.MAX_CSV_ROWS:
        raise Refused(
            f"expected at most {paging.MAX_CSV_ROWS:,} rows as CSV, got {answer['total_count']:,}",
            "ask for fewer days, or for pages by limit and offset; the header Link has the next page",
        )
    return answer["rows"]


def create(api: Api, hosts: tuple[str, ...] = ("*",)) -> FastAPI:
    """Create the application; `hosts` are the host names that it accepts."""

    @asynccontextmanager
    async def closing(_: FastAPI) -> AsyncIterator[None]:
        yield
        api.reader.close()

    app = FastAPI(
        lifespan=closing,
        title="Millrace",
        version="1",
        docs_url=None,
        openapi_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would contain the host name that the caller sent
    )
    app.middleware("http")(_guarding(hosts))
    app.add_middleware(_Heads)
    for route in ROUTES:
        _add(app, api, route)
    _add_status(app, api)
    _add_page(app)
    _add_document(app)
    _add_health(app)
    filters: dict[str, type[Filters] | type[NoFilters]] = {f"/api/{route.path}": route.filters for route in ROUTES}
    app.add_exception_handler(RequestValidationError, refusals.of_parameters(filters))
    app.add_exception_handler(HTTPException, refusals.of_path)
    app.add_exception_handler(Refused, refusals.of_request)
    app.add_exception_handler(MillraceError, refusals.of_data(api.place))
    return app


def _add(app: FastAPI, api: Api, route: Route) -> None:
    def endpoint(request: Request, filters: Annotated[Filters, Query()]) -> Response:
        if "format" not in filters.model_fields_set and wants_csv(request):
            filters = filters.model_copy(update={"format": "csv"})
        return api.answer(route, filters).to(request)

    endpoint.__annotations__["filters"] = Annotated[route.filters, Query()]
    link = {"description": "The next page, where there is one.", "schema": {"type": "string"}}
    answer = {
        "model": route.shape,
        "content": {_JSON: {}, "text/csv": {"schema": {"type": "string"}}},
        "description": "The answer.",
        "headers": {**_SAID, "Link": link},
    }
    app.get(
        f"/api/{route.path}",
        summary=route.summary,
        description=route.description,
        operation_id=route.path.replace("/", "_").replace("-", "_"),
        response_class=Response,
        responses={200: answer, 304: {"description": "It is as it was.", "headers": _SAID}},
        tags=[route.tag],
    )(endpoint)


def _add_status(app: FastAPI, api: Api) -> None:
    adapter = TypeAdapter(Status)
    cache = ResponseCache(max_bytes=1 << 20)
    steps = Remedies(**{each.name: remedies.remedy(Step(each.name), api.place) for each in fields(Remedies)})

    def endpoint(request: Request, _: Annotated[NoFilters, Query()]) -> Response:
        def make() -> tuple[int, Reply]:
            status = api.status()
            known = {each.name: getattr(status, each.name) for each in fields(state.Status)}
            served = Status(**known, people=api.names.people.mode, remedies=steps)
            body = printable_json(adapter.dump_json(served).decode()).encode()
            return tick, Reply.of(body, _JSON, status.store or "", status.as_of, status.built_through)

        tick = int(time.monotonic() / _STATUS_LASTS_S)
        return cache.get(tick, make).to(request)

    said = {name: header for name, header in _SAID.items() if name != "Millrace-Total-Count"}
    app.get(
        "/api/etl/status",
        summary="Whether the numbers can be trusted",
        description="What is loaded and not in the marts yet, what has not come for long, and what to do about it.",
        operation_id="etl_status",
        response_class=Response,
        responses={
            200: {"model": Status, "description": "The answer.", "headers": said},
            304: {"description": "It is as it was.", "headers": said},
        },
        tags=["status"],
    )(endpoint)


def _add_document(app: FastAPI) -> None:
    """Serve the OpenAPI document, the page that is made from it, and the index of the routes."""
    writers: dict[str, Callable[[dict[str, Any]], str]] = {
        "/openapi.json": lambda described: json.dumps(described, separators=(",", ":")),
        "/api": lambda described: json.dumps(document.index(described), indent=1),
        "/docs": document.page,
    }
    made: dict[str, Reply] = {}
    lock = threading.Lock()
    app.openapi = lambda: document.describe(app)  # type: ignore[method-assign]  # as FastAPI documents it

    def reply(request: Request) -> Response:
        path = request.url.path
        with lock:
            if path not in made:
                described = app.openapi()
                kind = "text/html; charset=utf-8" if path == "/docs" else _JSON
                made[path] = Reply.of(writers[path](described).encode(), kind, "page", None, None)
        return made[path].to(request)

    for path in writers:
        app.get(path, include_in_schema=False)(reply)


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

    for path in ("/health", "/healthz"):
        app.get(path, include_in_schema=False)(health)


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


def _fail(request: Request, error: Exception) -> Response:
    """Log where the request failed. The error's message may contain rows: it is neither logged nor returned."""
    log.unforeseen("api", error, "not logged: it may contain rows", path=request.url.path)
    return problem(500, "The program failed", "it is in the log", "try other parameters, and tell who operates it")
