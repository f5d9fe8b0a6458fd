"""Serve the read API and its page to every caller that the platform admits."""

from functools import cache

import functions_framework
from a2wsgi import ASGIMiddleware
from flask import Request
from werkzeug.wrappers import Response

from millrace import config, log, wiring
from millrace.bus import guard
from millrace.status import remedies

log.start(config.project())
CONFIG = config.ApiConfig.from_env()
APPLICATION = wiring.api_of(CONFIG, remedies.DEPLOYMENT)
guard.guard(None, plain=("api",), reads=True, anybody_may=True)


@cache
def _served() -> ASGIMiddleware:
    """Return the WSGI application, made at the first request: its loop is a thread, and the server forks before."""
    return ASGIMiddleware(APPLICATION)  # type: ignore[arg-type]  # ASGI, as another package writes it down


@functions_framework.http
def api(request: Request) -> Response:
    """Answer one request. `guard` has already read the body, and no route uses one."""
    environ = request.environ | {"CONTENT_LENGTH": "0"}
    return Response.from_app(_served(), environ, buffered=True)  # type: ignore[arg-type]  # WSGI, likewise
