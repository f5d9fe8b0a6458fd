"""From the tick to the build, every step of a run is a span of one trace, derived from the run id."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.deploy.functions.deployed import MEMORY, RUN, Deployed

from millrace import log, wiring
from millrace.build import job as builds
from millrace.build.dbt import Build
from millrace.build.job import Builder


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        trace.set_tracer_provider(TracerProvider())
    provider = trace.get_tracer_provider()
    assert isinstance(provider, TracerProvider)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield exporter
    exporter.shutdown()


def test_all_steps_of_a_run_are_spans_of_its_trace(functions: Deployed, spans: InMemorySpanExporter) -> None:
    for message in functions.extract_run():
        functions.load(message)
    while more := functions.finals():
        for message in more:
            functions.load(message)
    warehouse = wiring.duckdb_at(f"duckdb://{functions.warehouse_path}", MEMORY)
    job = Builder(
        functions.lake,
        warehouse,
        warehouse,
        lambda number, retry_of: Build((), 0),
        "me",
        lambda: datetime.now(UTC),
        lambda seconds: None,
    )
    assert builds.run(job).state == "good"
    finished = [span for span in spans.get_finished_spans() if span.context]
    assert {span.name for span in finished} == {
        "start run",
        "extract repos",
        "extract commits",
        "extract pull_requests",
        "extract reviews",
        "load",
        "build",
    }
    assert {f"{span.context.trace_id:032x}" for span in finished} == {log.trace_id_of(RUN)}
