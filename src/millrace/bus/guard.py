"""Checks of a request before a function handles it: method, size, sender, and whether it can be an event.

The platform checks the caller's right to invoke. The token is checked here once more, because a right granted to one
account too many is noticed nowhere else. A refused request gets a 4xx response (503 when Google's certificates cannot
be fetched) and one log line, and no work is done. A subscription retries it and then keeps it as a dead letter, where
a person finds it. A GET of /health, the platform's probe, is answered before all of this.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from flask import Flask, current_app, request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from millrace import log
from millrace.bus import answers
from millrace.config import Caller

MAX_BODY_BYTES = 1 << 20  # an object's resource has a few KiB, a task's message less than one
_CERTIFICATES_S = 10.0  # the most that one fetch of the keys may take
_CLOCK_SKEW_S = 30
_REMOVED_SIGNATURE = ".SIGNATURE_REMOVED_BY_GOOGLE"
_ISSUERS = ("accounts.google.com", "https://accounts.google.com")
Claims = Mapping[str, object]


@dataclass
class _Refused(Exception):
    status: int
    why: str
    headers: Mapping[str, str] = field(default_factory=dict)


def guard(caller: Caller | None, plain: tuple[str, ...] = (), *, anybody_may: bool = False) -> None:
    """Check every request of the function that is being loaded; only functions named in `plain` take other requests.

    A request has effects, so it must be a POST. Without `caller`, any caller is accepted; this is logged as a warning
    unless `anybody_may` is set.
    """
    app: Flask = current_app
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES + 1  # a body without Content-Length is read no further
    claims_of = _verifier(caller) if caller else None
    if caller is None and not anybody_may:
        unset = "MILLRACE_PUSH_AUDIENCE and MILLRACE_PUSH_ACCOUNT are not set"
        log.warning("anybody may call", function=app.name, why=unset)

    @app.before_request
    def check() -> Response | None:
        if (request.method, request.path) == ("GET", "/health"):
            return Response("ok", mimetype="text/plain")
        with answers.answering(app.name):
            _check()
        return None

    def _check() -> None:
        try:
            if request.method != "POST":
                raise _Refused(405, f"{request.method} is not answered; expected POST", {"Allow": "POST"})
            if (request.content_length or 0) > MAX_BODY_BYTES:
                raise _Refused(413, f"a body of {request.content_length:,} bytes, of at most {MAX_BODY_BYTES:,}")
            if caller and claims_of:
                _check_caller(caller, claims_of, request.headers.get("Authorization", ""))
            body = _body()
            if app.name not in plain:
                _check_event(request.headers, body)
        except _Refused as refused:
            log.warning("refused at the door", function=app.name, status=refused.status, why=refused.why)
            answer = Response(refused.why, refused.status, refused.headers, mimetype="text/plain")
            raise HTTPException(response=answer) from refused


def _verifier(caller: Caller) -> Callable[[str], Claims]:
    from cachecontrol import CacheControl
    from google.auth.transport.requests import Request
    from google.oauth2 import id_token
    from requests import Session

    # Google's answer says how long its keys may be kept.
    certificates = partial(Request(CacheControl(Session())), timeout=_CERTIFICATES_S)

    def claims_of(token: str) -> Claims:
        if caller.is_on_cloud_run and token.endswith(_REMOVED_SIGNATURE):
            return _checked_by_iam(token, caller.audience)
        claims: Claims = id_token.verify_oauth2_token(token, certificates, caller.audience, _CLOCK_SKEW_S)
        return claims

    return claims_of


def _checked_by_iam(token: str, audience: str) -> Claims:
    """Return the claims of a token whose signature Cloud Run has removed after IAM had checked it.

    https://docs.cloud.google.com/run/docs/troubleshooting: the signature is replaced so that no service can use the
    token for another one. Raises ValueError for another audience or issuer, and before and after the token's time.
    """
    from google.auth import jwt

    claims: Claims = jwt.decode(token, verify=False)
    if claims.get("aud") != audience:
        raise ValueError("another audience")
    if claims.get("iss") not in _ISSUERS:
        raise ValueError("another issuer")
    issued, expires = claims.get("iat"), claims.get("exp")
    if type(issued) is not int or type(expires) is not int:
        raise ValueError("no time")
    if not issued - _CLOCK_SKEW_S <= time.time():
        raise ValueError("too early")
    if not time.time() <= expires + _CLOCK_SKEW_S:
        raise ValueError("expired")
    return claims


def _check_caller(caller: Caller, claims_of: Callable[[str], Claims], header: str) -> None:
    from google.auth.exceptions import GoogleAuthError, TransportError

    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise _Refused(401, "no bearer token")
    try:
        claims = claims_of(token)
    except TransportError as error:
        raise _Refused(503, "Google's certificates are out of reach") from error
    except (GoogleAuthError, ValueError) as error:
        raise _Refused(401, f"the token is not valid: {_in_short(error)}") from error
    if claims.get("email_verified") is not True or claims.get("email") != caller.account:
        raise _Refused(403, "the token is of another account than the subscription's")


def _in_short(error: Exception) -> str:
    """Return the reason without quoted input."""
    # The library's message quotes parts of the token.
    text = str(error)
    for known in ("expired", "too early", "audience", "signature", "Certificate", "issuer"):
        if known in text:
            return known
    return type(error).__name__


def _body() -> bytes:
    body = request.get_data()
    if len(body) > MAX_BODY_BYTES:
        raise _Refused(413, f"a body of more than {MAX_BODY_BYTES:,} bytes")
    return body


def _check_event(headers: Headers, body: bytes) -> None:
    """Refuse a body that is neither a CloudEvent in one of its forms nor a bare push; the parser checks the rest."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _Refused(400, "no event: the body is not JSON") from error
    if not isinstance(content, dict):
        raise _Refused(400, "no event: the body is no JSON object")
    is_binary = all(f"ce-{name}" in headers for name in ("id", "source", "specversion", "type"))
    is_structured = all(name in content for name in ("id", "source", "specversion", "type"))
    is_push = isinstance(content.get("message"), dict)
    if not (is_binary or is_structured or is_push):
        raise _Refused(400, "no event: neither a CloudEvent nor a push of Pub/Sub")
