"""Logs and traces of a run: one JSON line per decision, in Cloud Logging's fields, and one span per step.

Fields are counts, ids and names of objects; never rows, keys, e-mail addresses or URLs with a query.

The trace id is derived from the run id alone, so no trace context is passed from the tick to the build. Spans need an
exporter of OpenTelemetry in the environment (extra `tracing`, which sends to OTEL_EXPORTER_OTLP_ENDPOINT), or a tracer
provider that the process has set up itself. Without either, nothing is imported and no span is made.
"""

import hashlib
import json
import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Literal

from millrace.terminal import printable_json

TRACE = "logging.googleapis.com/trace"
_LOGGER = logging.getLogger("millrace")
_SEVERITIES = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}  # of Cloud Logging, and of Python
_TRACE_HEADERS = (
    ("traceparent", r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"),
    ("X-Cloud-Trace-Context", r"(?!0{32})([0-9a-fA-F]{32})(?:/.*)?"),
)
_SHOWN_FRAMES = 12
_run: ContextVar[str | None] = ContextVar("run", default=None)
_headers: ContextVar[Mapping[str, str] | None] = ContextVar("headers", default=None)

_volume: ContextVar["Volume"] = ContextVar("volume", default="normal")

Volume = Literal["quiet", "normal", "verbose"]
"""What a command writes to standard error besides errors: nothing, its progress, or every log line too."""


def info(message: str, **fields: object) -> None:
    """Log a decision."""
    _LOGGER.info(message, extra={"fields": fields})


def debug(message: str, **fields: object) -> None:
    """Log a step towards a decision."""
    _LOGGER.debug(message, extra={"fields": fields})


def warning(message: str, **fields: object) -> None:
    """Log a problem that is retried or that stops nothing."""
    _LOGGER.warning(message, extra={"fields": fields})


def error(message: str, **fields: object) -> None:
    """Log an error that a retry does not fix."""
    _LOGGER.error(message, extra={"fields": fields})


def unforeseen(function: str, raised: Exception, said: str, **fields: object) -> None:
    """Log an exception that no code expected: its kind, what is `said` of it, and the end of its stack."""
    stack = "".join(traceback.format_tb(raised.__traceback__)[-_SHOWN_FRAMES:])
    error("unforeseen", function=function, kind=type(raised).__name__, error=said, stack=stack, **fields)


def trace_id_of(run_id: str) -> str:
    """Return the trace id of a run, 32 hexadecimal digits: the first 16 bytes of the SHA-256 of its id."""
    return hashlib.sha256(run_id.encode()).hexdigest()[:32]


@contextmanager
def step(name: str, run_id: str | None, **attributes: str | int) -> Iterator[None]:
    """Run one step: each log line within carries `run_id`, and the step is a span of the run's trace.

    Without a run, as with a dropped file, there is no `run_id` and no span.
    """
    token = _run.set(run_id)
    try:
        with _span(name, run_id, attributes) if run_id else nullcontext():
            yield
    finally:
        _run.reset(token)


@contextmanager
def request(headers: Mapping[str, str]) -> Iterator[None]:
    """Answer one request of an ASGI server: each log line within has the trace that its headers name."""
    token = _headers.set(headers)
    try:
        yield
    finally:
        _headers.reset(token)


class JsonLines(logging.Formatter):
    """Formats each record as one JSON object; `project` completes the name of a trace."""

    def __init__(self, project: str | None = None) -> None:
        super().__init__()
        self._project = project

    def format(self, record: logging.LogRecord) -> str:
        """Return severity, message, time, trace and run where they are known, then the record's own fields."""
        line: dict[str, object] = {
            "severity": record.levelname if record.levelname in _SEVERITIES else "DEFAULT",
            "message": record.getMessage(),
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
        }
        run_id = _run.get()
        if trace_id := _trace_of_request() or (run_id and trace_id_of(run_id)):
            line[TRACE] = f"projects/{self._project}/traces/{trace_id}" if self._project else trace_id
        if run_id:
            line["run_id"] = run_id
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return printable_json(json.dumps(line, default=str))


def start(project: str | None = None, *libraries: str) -> None:
    """Write JSON lines to standard error, also those of these loggers, unless the process has set up ours itself.

    An error that ends the process is one line too: this project's with its message, any other with its traceback.
    """
    if not _LOGGER.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JsonLines(project))
        _LOGGER.addHandler(handler)
        _LOGGER.setLevel(logging.INFO)
        _LOGGER.propagate = False
        for name in libraries:
            logging.getLogger(name).addHandler(handler)
        sys.excepthook = _stopped


def volume() -> Volume:
    """Return what the command that runs was asked to write."""
    return _volume.get()


@contextmanager
def at(asked: Volume) -> Iterator[None]:
    """Run a command at a volume; at `verbose` every record is a JSON line on standard error, those of debugging too."""
    token, level, propagates = _volume.set(asked), _LOGGER.level, _LOGGER.propagate
    handler = logging.StreamHandler(sys.stderr) if asked == "verbose" else logging.NullHandler()
    handler.setFormatter(JsonLines())
    if asked == "verbose":
        _LOGGER.setLevel(logging.DEBUG)
        _LOGGER.propagate = False
    _LOGGER.addHandler(handler)
    try:
        yield
    finally:
        _LOGGER.removeHandler(handler)
        _LOGGER.setLevel(level)
        _LOGGER.propagate = propagates
        _volume.reset(token)


def _stopped(kind: type[BaseException], raised: BaseException, trace: TracebackType | None) -> None:
    is_ours = kind.__module__.startswith("millrace.")
    fields = {"kind": kind.__name__, "error": str(raised)}
    _LOGGER.critical("stopped", extra={"fields": fields}, exc_info=None if is_ours else (kind, raised, trace))


def _trace_of_request() -> str | None:
    """Return the trace id of the current HTTP request; None outside of one."""
    flask: Any = sys.modules.get("flask")
    in_flask = flask is not None and flask.has_request_context()
    headers: Mapping[str, str] | None = flask.request.headers if in_flask else _headers.get()
    if headers is None:
        return None
    found = (re.fullmatch(pattern, headers.get(name, "")) for name, pattern in _TRACE_HEADERS)
    return next((match[1].lower() for match in found if match), None)


def _span(name: str, run_id: str, attributes: Mapping[str, str | int]) -> AbstractContextManager[object]:
    tracer = _exporting() if _can_export() else _of_the_process()
    if tracer is None:
        return nullcontext()
    from opentelemetry import trace

    digest = hashlib.sha256(run_id.encode()).hexdigest()
    sampled = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    run = trace.SpanContext(int(digest[:32], 16), int(digest[32:48], 16), is_remote=True, trace_flags=sampled)
    parent = trace.set_span_in_context(trace.NonRecordingSpan(run))
    span: AbstractContextManager[object] = tracer.start_as_current_span(
        name, context=parent, attributes={"run_id": run_id, **attributes}
    )
    return span


def _of_the_process() -> Any:
    """Return a tracer of the process's own provider; None when OpenTelemetry is not imported."""
    trace: Any = sys.modules.get("opentelemetry.trace")
    return trace and trace.get_tracer("millrace")


@cache
def _can_export() -> bool:
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


@cache
def _exporting() -> Any:
    """Return a tracer of our own, which sends each span when it ends."""
    # A function gets no CPU time after its response, so spans cannot be sent in batches.
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    exporter = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter").OTLPSpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider.get_tracer("millrace")
