"""Answer the read API and its page, for whomever the platform lets in."""

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
    """Make its loop with the first request: it is a thread, and the server forks after this file was loaded."""
    return ASGIMiddleware(APPLICATION)  # type: ignore[arg-type]  # ASGI, as another package writes it down


@functions_framework.http
def api(request: Request) -> Response:
    """Answer one request. The body was read at the door, and no route wants one."""
    environ = request.environ | {"CONTENT_LENGTH": "0"}
    return Response.from_app(_served(), environ, buffered=True)  # type: ignore[arg-type]  # WSGI, likewise
