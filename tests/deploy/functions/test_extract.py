"""The extract functions: one run per schedule time, one record per task, and a status that the platform understands."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pyarrow.parquet as pq
import pytest
from tests.deploy.functions.deployed import RUN, SCHEDULED, Deployed, message, requested

import simulator
from millrace import runs
from millrace.bus import EXTRACT_EVENTS, EXTRACT_REQUESTS, OBJECT_EVENTS


def names(functions: Deployed, prefix: str = "") -> list[str]:
    return [stored.version.name for stored in functions.lake.list(prefix)]


def test_repeated_schedule_time_starts_one_run(functions: Deployed) -> None:
    first = functions.start_run(body=b'{"since": "2026-11-01"}')
    again = functions.start_run(body=b'{"since": "2026-01-01"}')
    assert first.get_json() == again.get_json() == {"run_id": RUN}
    assert names(functions) == [f"runs/{RUN}/plan.json"]
    assert runs.read_plan(functions.lake, RUN).since == "2026-11-01"


def test_each_start_requests_the_tables_without_a_parent(functions: Deployed) -> None:
    functions.start_run()
    functions.start_run()
    tables = [each["attributes"]["table"] for each in functions.take(EXTRACT_REQUESTS)]
    assert tables == ["repos", "commits"] * 2


def test_the_schedule_time_in_another_zone_is_the_same_run(functions: Deployed) -> None:
    assert functions.start_run("2026-11-20T08:00:00+02:00").get_json() == {"run_id": RUN}


@pytest.mark.parametrize(
    ("scheduled", "body"),
    [
        pytest.param(SCHEDULED, b"{", id="no JSON"),
        pytest.param(SCHEDULED, b"\xff", id="no UTF-8"),
        pytest.param(SCHEDULED, b"[]", id="a list"),
        pytest.param(SCHEDULED, b"7", id="a number"),
        pytest.param(SCHEDULED, b"[" * 100_000, id="nested without end"),
        pytest.param(SCHEDULED, b'{"sinse": "2026-01-01"}', id="an unknown field"),
        pytest.param(SCHEDULED, b'{"since": "yesterday"}', id="no day"),
        pytest.param(SCHEDULED, b'{"since": ""}', id="an empty day"),
        pytest.param(SCHEDULED, b'{"since": 20260101}', id="a number for a day"),
        pytest.param(SCHEDULED, b'{"full_refresh": "false"}', id="a text for a truth"),
        pytest.param("noon", b"{}", id="no time"),
        pytest.param("2026-11-20T06:00:00", b"{}", id="a time without a zone"),
        pytest.param("0001-01-01T00:00:00+14:00", b"{}", id="a time before all times"),
    ],
)
def test_invalid_order_returns_400_and_starts_no_run(functions: Deployed, scheduled: str, body: bytes) -> None:
    assert functions.start_run(scheduled, body).status_code == 400
    assert names(functions) == []
    assert functions.take(EXTRACT_REQUESTS) == []


def test_a_request_leaves_parts_a_record_and_an_event(functions: Deployed) -> None:
    functions.start_run()
    assert functions.extract("commits", requested("commits")).status_code == 200
    record = runs.read_record(functions.lake, RUN, "commits")
    assert record is not None
    assert record.rows == record.source_total > 0
    assert [part.name for part in record.parts] == names(functions, "raw/")
    assert names(functions, "raw/") == [f"raw/commits/dt=2026-11-20/run={RUN}/commits-00000.parquet"]
    assert [each["attributes"]["event"] for each in functions.take(EXTRACT_EVENTS)] == ["extract.completed"]


def test_record_matches_part_rows_and_checksum(functions: Deployed, tmp_path_factory: pytest.TempPathFactory) -> None:
    functions.start_run()
    functions.extract("commits", requested("commits"))
    record = runs.read_record(functions.lake, RUN, "commits")
    assert record is not None
    (part,) = record.parts
    path = tmp_path_factory.mktemp("part") / "part.parquet"
    assert functions.lake.download(part.version("lake"), path).crc32c == part.crc32c
    assert pq.read_metadata(path).num_rows == part.rows == record.rows


def test_the_same_request_twice_is_one_record_announced_twice(functions: Deployed) -> None:
    functions.start_run()
    functions.extract("repos", requested("repos"))
    before = [(stored.version, stored.size_bytes) for stored in functions.lake.list("")]
    assert functions.extract("repos", requested("repos")).status_code == 200
    assert [(stored.version, stored.size_bytes) for stored in functions.lake.list("")] == before
    first, again = functions.take(EXTRACT_EVENTS)
    assert first["data"] == again["data"]


def test_the_completion_of_the_parent_starts_the_child(functions: Deployed) -> None:
    functions.start_run()
    functions.extract("repos", requested("repos"))
    (completed,) = functions.take(EXTRACT_EVENTS)
    assert functions.extract("pull_requests", completed).status_code == 200
    assert runs.read_record(functions.lake, RUN, "pull_requests") is not None


def test_the_event_of_another_table_is_acknowledged_and_ignored(functions: Deployed) -> None:
    functions.start_run()
    assert functions.extract("reviews", requested("commits")).status_code == 200
    assert names(functions, "raw/") == names(functions, f"runs/{RUN}/tasks/") == []


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param({"data": "%%%"}, id="junk for data"),
        pytest.param({"attributes": {}}, id="no data"),
        pytest.param(message([]), id="a list"),
        pytest.param(message({"run_id": RUN, "table": "repos"}), id="no task"),
        pytest.param(message({"run_id": "../../x", "table": "repos", "task_id": "repos"}), id="a path for a run"),
        pytest.param(message({"run_id": RUN, "table": "repos", "task_id": "../plan"}), id="a path for a task"),
        pytest.param(message({"run_id": RUN, "table": ["repos"], "task_id": "repos"}), id="a list for a table"),
    ],
)
def test_invalid_task_returns_400_and_writes_nothing(functions: Deployed, bad: dict[str, object]) -> None:
    functions.start_run()
    assert functions.extract("repos", bad).status_code == 400
    assert names(functions) == [f"runs/{RUN}/plan.json"]


def test_task_of_unknown_run_returns_500_with_reason(functions: Deployed) -> None:
    answer = functions.extract("repos", requested("repos", "20200101T000000Z"))
    assert answer.status_code == 500
    assert "has no plan" in answer.get_data(as_text=True)


def test_a_plain_child_before_its_parent_is_503(functions: Deployed) -> None:
    world = simulator.generate(developers=2, days=2, seed=1)
    with simulator.serve(world, key="k", faults=simulator.InjectedFaults(plain_only=True)) as running:
        functions.configure(MILLRACE_SOURCE_URL=running.url, MILLRACE_SOURCE_KEY="k")
        functions.start_run()
        assert functions.extract("pull_requests", requested("pull_requests")).status_code == 503
    assert names(functions, "raw/") == []


def test_a_refused_key_is_500_names_the_setting_and_not_the_key(functions: Deployed) -> None:
    functions.configure(MILLRACE_SOURCE_KEY="another-key")
    functions.start_run()
    answer = functions.extract("repos", requested("repos"))
    assert answer.status_code == 500
    assert "MILLRACE_SOURCE_KEY" in answer.get_data(as_text=True)
    assert "another-key" not in answer.get_data(as_text=True)


@pytest.fixture
def busy_source() -> Iterator[str]:
    """A source that is always unavailable for a moment."""

    class Busy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503)
            self.send_header("Retry-After", "0.01")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Busy) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_unavailable_source_returns_503_and_records_failure_and_since_when(
    functions: Deployed, busy_source: str
) -> None:
    functions.configure(MILLRACE_SOURCE_URL=busy_source)
    functions.start_run()
    assert functions.extract("repos", requested("repos")).status_code == 503
    assert names(functions) == [f"runs/{RUN}/{each}.json" for each in ("failures/repos", "plan", "progress/repos")]
    failure = runs.read_failure(functions.lake, RUN, "repos")
    assert failure is not None
    assert failure.kind == "SourceUnavailable"
    progress, _ = runs.read_progress(functions.lake, RUN, "repos")
    assert progress is not None
    assert (progress.rows, progress.claim) == (0, None)
    assert functions.take(EXTRACT_EVENTS) == []


def test_a_plan_that_no_longer_is_one_is_named_and_nothing_is_extracted(functions: Deployed) -> None:
    functions.lake.write(f"runs/{RUN}/plan.json", json.dumps([]).encode(), 0)
    functions.take(OBJECT_EVENTS)
    assert functions.extract("repos", requested("repos")).status_code == 500
    failure = runs.read_failure(functions.lake, RUN, "repos")
    assert failure is not None
    assert f"runs/{RUN}/plan.json is damaged" in failure.message
    assert names(functions) == [f"runs/{RUN}/failures/repos.json", f"runs/{RUN}/plan.json"]
