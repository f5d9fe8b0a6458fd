"""A log line contains its run and its trace; the steps of a run are spans of one trace, if tracing is on."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.deploy.packages.packaging import PROJECT, clean

from millrace import log

RUN = "20261120T060000Z"
OF_RUN = "b1dd149a9611e75de36268d328245bb3"
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(log.JsonLines(project="acme"))
    logger = logging.getLogger("millrace")
    handlers, level, propagate = logger.handlers, logger.level, logger.propagate
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
    yield text
    logger.handlers, logger.propagate = handlers, propagate
    logger.setLevel(level)


def last(lines: io.StringIO) -> dict[str, Any]:
    return dict(json.loads(lines.getvalue().splitlines()[-1]))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}, f"projects/acme/traces/{TRACE}", id="W3C"),
        pytest.param({"X-Cloud-Trace-Context": f"{TRACE}/12;o=1"}, f"projects/acme/traces/{TRACE}", id="Google's"),
        pytest.param({"X-Cloud-Trace-Context": TRACE}, f"projects/acme/traces/{TRACE}", id="trace alone"),
        pytest.param({"traceparent": f"00-{'0' * 32}-b7ad6b7169203331-01"}, None, id="the trace that is none"),
        pytest.param({"traceparent": "00-../../x-1-01"}, None, id="nonsense"),
        pytest.param({}, None, id="no trace"),
    ],
)
def test_a_line_within_a_request_has_its_trace(
    lines: io.StringIO, headers: dict[str, str], expected: str | None
) -> None:
    with Flask("f").test_request_context("/", headers=headers):
        log.info("loaded")
    assert last(lines).get(log.TRACE) == expected


def test_log_line_within_step_has_run_id_and_trace(lines: io.StringIO) -> None:
    with log.step("extract commits", RUN):
        log.info("extracted")
    assert last(lines)["run_id"] == RUN
    assert last(lines)[log.TRACE] == f"projects/acme/traces/{log.trace_id_of(RUN)}"
    log.info("idle")
    assert not {"run_id", log.TRACE} & last(lines).keys()


def test_a_line_within_a_step_of_no_run_has_neither(lines: io.StringIO) -> None:
    with log.step("load", None):
        log.info("loaded")
    assert not {"run_id", log.TRACE} & last(lines).keys()


def test_the_field_of_a_line_wins_over_that_of_its_step(lines: io.StringIO) -> None:
    with log.step("sweep", RUN):
        log.info("asked again", run_id="20261119T060000Z")
    assert last(lines)["run_id"] == "20261119T060000Z"


def test_every_process_derives_the_same_trace_from_a_run() -> None:
    assert log.trace_id_of(RUN) == OF_RUN


def test_the_steps_of_a_run_are_spans_of_its_trace_under_one_parent() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    with log.step("start_run", RUN):
        pass
    with log.step("extract", RUN, table="commits"), trace.get_tracer("other").start_as_current_span("within"):
        pass
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert {f"{span.context.trace_id:032x}" for span in spans.values() if span.context} == {OF_RUN}
    assert spans["start_run"].parent is not None
    assert spans["extract"].parent == spans["start_run"].parent
    assert dict(spans["extract"].attributes or {}) == {"run_id": RUN, "table": "commits"}
    assert spans["within"].parent == spans["extract"].get_span_context()


def stopped(statement: str) -> list[dict[str, Any]]:
    """Run a statement in a process that logs; return everything that it wrote."""
    program = f"from millrace import log, errors\nlog.start()\n{statement}"
    line = [sys.executable, "-c", program]
    done = subprocess.run(line, env=clean({"PYTHONPATH": str(PROJECT / "src")}), capture_output=True, text=True)
    return [json.loads(written) for written in (done.stdout + done.stderr).splitlines()]


def test_fatal_millrace_error_is_one_line_without_traceback() -> None:
    (line,) = stopped("raise errors.ConfigError('MILLRACE_LAKE is not set')")
    assert (line["severity"], line["kind"], line["error"]) == ("CRITICAL", "ConfigError", "MILLRACE_LAKE is not set")
    assert "exception" not in line


def test_any_other_error_that_ends_the_process_is_one_line_with_its_traceback() -> None:
    (line,) = stopped("{}['missing']")
    assert (line["severity"], line["kind"]) == ("CRITICAL", "KeyError")
    assert "Traceback" in line["exception"]


def test_a_process_without_opentelemetry_does_not_import_it() -> None:
    within = "log.info('x', loaded='opentelemetry.trace' in sys.modules)"
    statement = f"import sys\nwith log.step('build', '{RUN}'):\n    {within}"
    (line,) = stopped(statement)
    assert line["loaded"] is False
