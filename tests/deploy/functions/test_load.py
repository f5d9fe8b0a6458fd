"""The load function: each version once, whatever the form, order and number of its events."""

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.deploy.functions.deployed import RUN, SCHEDULED, Deployed, headers, message, safe
from werkzeug.test import TestResponse

from millrace.bus import events
from millrace.lake import ObjectVersion, StoredObject
from millrace.runs import build_requests

PART = f"raw/commits/dt=2026-11-20/run={RUN}/commits-00000.parquet"


def event_of(stored: StoredObject, **changed: str) -> dict[str, str]:
    """Return the object resource as Cloud Storage sends it."""
    version = stored.version
    resource = {"bucket": version.bucket, "name": version.name, "generation": str(version.generation)}
    return resource | ({"crc32c": stored.crc32c} if stored.crc32c else {}) | changed


def notification(stored: StoredObject, **changed: str) -> dict[str, object]:
    resource = event_of(stored, **changed)
    attributes = {"eventType": "OBJECT_FINALIZE", "bucketId": resource["bucket"], "objectId": resource["name"]}
    return message(resource, objectGeneration=resource["generation"], **attributes)


def finalized(functions: Deployed, resource: object) -> TestResponse:
    """Deliver as Eventarc does."""
    client = functions.application("load").test_client()
    return safe(client.post("/", json=resource, headers=headers(events.FINALIZED)))


def put(functions: Deployed, name: str, content: bytes) -> StoredObject:
    return functions.lake.write(name, content, 0)


def parquet(rows: int = 1, table: str = "repos") -> bytes:
    sink = io.BytesIO()
    columns = {"full_name": [f"o/{n}" for n in range(rows)]}
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def quarantined(functions: Deployed) -> list[dict[str, object]]:
    names = [stored.version.name for stored in functions.quarantine.list("") if stored.version.name.endswith(".json")]
    return [json.loads(functions.quarantine.read(name)[0]) for name in names]


def start_run_with_one_part(functions: Deployed, content: bytes) -> StoredObject:
    functions.start_run()
    return put(functions, f"raw/repos/dt=2026-11-20/run={RUN}/repos-00000.parquet", content)


def test_both_forms_of_the_event_load_a_part_once(functions: Deployed) -> None:
    stored = start_run_with_one_part(functions, parquet(3))
    assert functions.load(notification(stored)).status_code == 200
    assert finalized(functions, event_of(stored)).status_code == 200
    assert functions.load(notification(stored)).status_code == 200
    (entry,) = functions.warehouse.loads_of(RUN)
    assert (entry.version, entry.rows_inserted) == (stored.version, 3)


def test_a_structured_event_is_the_same_event(functions: Deployed) -> None:
    stored = start_run_with_one_part(functions, parquet())
    body = {"id": "1", "source": "//s", "specversion": "1.0", "type": events.FINALIZED, "data": event_of(stored)}
    client = functions.application("load").test_client()
    answer = client.post("/", data=json.dumps(body), headers={"Content-Type": "application/cloudevents+json"})
    assert answer.status_code == 200
    assert functions.warehouse.find(stored.version) is not None


def test_a_bare_push_without_event_headers_is_the_same_event(functions: Deployed) -> None:
    stored = start_run_with_one_part(functions, parquet())
    body = {"message": notification(stored) | {"publishTime": "2026-11-20T06:00:00Z"}, "subscription": "s"}
    answer = functions.application("load").test_client().post("/", json=body)
    assert answer.status_code == 200
    assert functions.warehouse.find(stored.version) is not None


def test_the_final_object_of_an_older_run_takes_no_cursor_back(functions: Deployed) -> None:
    runs_objects = [functions.extract_run(scheduled) for scheduled in (SCHEDULED, "2026-11-21T06:00:00Z")]
    for each in [*runs_objects[0], *runs_objects[1]]:
        functions.load(each)
    older, newer = functions.finals()
    functions.load(newer)
    before = {stored.version for stored in functions.lake.list("state/")}
    assert functions.load(older).status_code == 200
    assert {stored.version for stored in functions.lake.list("state/")} == before


def test_a_dropped_file_is_loaded_and_asks_for_a_build_once(functions: Deployed) -> None:
    stored = put(functions, "drop/repos/mine.ndjson", b'{"full_name": "o/a"}\n')
    assert functions.load(notification(stored)).status_code == 200
    entry = functions.warehouse.find(stored.version)
    assert entry is not None
    assert entry.rows_inserted == 1
    assert functions.builds == [None]


def test_a_dropped_file_that_changes_nothing_asks_for_no_build(functions: Deployed) -> None:
    for name in ("a", "b"):
        functions.load(notification(put(functions, f"drop/repos/{name}.ndjson", b'{"full_name": "o/a"}\n')))
    assert functions.builds == [None]


@pytest.mark.parametrize(
    ("content", "changed", "reason"),
    [
        pytest.param(parquet(9)[:-40], {}, "unreadable", id="truncated"),
        pytest.param(b"", {}, "unreadable", id="empty"),
        pytest.param(b"<html>502</html>", {}, "unreadable", id="an error page"),
        pytest.param(parquet(9), {"crc32c": "AAAAAA=="}, "checksum", id="another checksum"),
    ],
)
def test_a_poisoned_part_is_acknowledged_and_kept_with_its_reason(
    functions: Deployed, content: bytes, changed: dict[str, str], reason: str
) -> None:
    stored = start_run_with_one_part(functions, content)
    assert functions.load(notification(stored, **changed)).status_code == 200
    assert functions.load(notification(stored, **changed)).status_code == 200
    (told,) = quarantined(functions)
    assert (told["name"], told["reason"]) == (stored.version.name, reason)
    (entry,) = functions.warehouse.loads_of(RUN)
    assert (entry.version, entry.quarantine_reason) == (stored.version, reason)


def test_quarantine_keeps_original_bytes(functions: Deployed) -> None:
    functions.load(notification(start_run_with_one_part(functions, b"<html>502</html>")))
    (kept,) = [each for each in functions.quarantine.list("") if not each.version.name.endswith(".json")]
    assert functions.quarantine.read(kept.version.name)[0] == b"<html>502</html>"


def test_a_reason_that_a_crashed_attempt_left_in_other_words_stops_nothing(functions: Deployed) -> None:
    stored = start_run_with_one_part(functions, b"junk")
    functions.load(notification(stored))
    name = next(each.version for each in functions.quarantine.list("") if each.version.name.endswith(".json"))
    functions.quarantine.write(name.name, b'{"reason": "as it was called before"}', name.generation)
    functions.forget_loads("after-the-crash")
    assert functions.load(notification(stored)).status_code == 200
    (entry,) = functions.warehouse.loads_of(RUN)
    assert entry.quarantine_reason == "unreadable"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("raw/_SUCCESS", id="a marker file"),
        pytest.param(f"raw/secrets/dt=2026-11-20/run={RUN}/secrets-00000.parquet", id="a table we do not have"),
        pytest.param("drop/repos/it's; drop table x.xlsx", id="another format, and SQL"),
        pytest.param("drop/repos/a\nb.csv", id="a newline"),
    ],
)
def test_object_with_invalid_name_is_quarantined(functions: Deployed, name: str) -> None:
    stored = put(functions, name, b"x")
    assert functions.load(notification(stored)).status_code == 200
    assert [told["name"] for told in quarantined(functions)] == [name]
    entry = functions.warehouse.find(stored.version)
    assert entry is not None
    assert entry.table_name is None


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "drop/repos/../../x.csv", "drop/repos/a\0.csv", "drop/repos/" + "x" * 300]
)
def test_a_name_that_no_object_can_have_is_acknowledged_and_leaves_no_trace(functions: Deployed, name: str) -> None:
    stored = StoredObject(ObjectVersion("lake", name, 1), 1, None)
    assert functions.load(notification(stored)).status_code == 200
    assert list(functions.quarantine.list("")) == []
    assert functions.warehouse.find(stored.version) is None


def test_a_deleted_object_is_acknowledged_and_leaves_no_trace(functions: Deployed) -> None:
    stored = start_run_with_one_part(functions, parquet())
    (functions.folder / "lake" / stored.version.name).unlink()
    assert functions.load(notification(stored)).status_code == 200
    assert functions.warehouse.loads_of(RUN) == []
    assert quarantined(functions) == []


def test_of_a_file_that_was_dropped_again_only_the_newer_version_loads(functions: Deployed) -> None:
    older = put(functions, "drop/repos/x.ndjson", b'{"full_name": "o/old"}\n')
    newer = functions.lake.write("drop/repos/x.ndjson", b'{"full_name": "o/new"}\n', older.version.generation)
    for stored in (older, newer, older):
        assert functions.load(notification(stored)).status_code == 200
    assert [row[0] for row in functions.rows("repos")] == ["o/new"]


def test_an_event_of_another_bucket_is_400_and_loads_nothing(functions: Deployed) -> None:
    stored = start_run_with_one_part(functions, parquet())
    assert functions.load(notification(stored, bucket="other")).status_code == 400
    assert functions.warehouse.find(stored.version) is None


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"data": "%%%", "attributes": {}}, id="no attributes"),
        pytest.param(message({}, bucketId="lake", objectId="x"), id="no generation"),
        pytest.param(message({}, bucketId="lake", objectId="x", objectGeneration="-1"), id="negative generation"),
        pytest.param(message({}, bucketId="lake", objectId="x", objectGeneration="9" * 5000), id="endless generation"),
        pytest.param(message({}, bucketId="lake", objectId="\ud800", objectGeneration="1"), id="lone surrogate"),
        pytest.param(message({}, bucketId="lake", objectId="x" * 5000, objectGeneration="1"), id="endless name"),
    ],
)
def test_invalid_object_event_returns_400(functions: Deployed, bad: dict[str, object]) -> None:
    assert functions.load(bad).status_code == 400
    assert not functions.warehouse_path.exists()


def test_an_event_of_another_kind_is_400(functions: Deployed) -> None:
    client = functions.application("load").test_client()
    answer = client.post("/", json={}, headers=headers("google.cloud.storage.object.v1.deleted"))
    assert answer.status_code == 400
    assert functions.load(message({}, eventType="OBJECT_DELETE", objectId="x")).status_code == 400


@pytest.mark.parametrize("body", [b"{", b"\xff", b"", b"null", b"[" * 50_000], ids=repr)
def test_a_body_that_is_no_json_object_is_not_acknowledged(functions: Deployed, body: bytes) -> None:
    client = functions.application("load").test_client()
    sent = headers(events.MESSAGE) | {"Content-Type": "application/json"}
    assert client.post("/", data=body[:60_000], headers=sent).status_code >= 400
    assert not functions.warehouse_path.exists()


def test_a_warehouse_that_cannot_be_opened_is_not_acknowledged(functions: Deployed) -> None:
    stored = start_run_with_one_part(functions, parquet())
    functions.warehouse_path.write_bytes(b"no database" * 1000)
    assert functions.load(notification(stored)).status_code == 500


def test_a_part_loaded_after_the_end_of_its_run_asks_for_a_build(functions: Deployed) -> None:
    for each in functions.extract_run(SCHEDULED):
        functions.load(each)
    (final,) = functions.finals()
    functions.load(final)
    functions.builds.clear()
    stored = put(functions, f"raw/repos/dt=2026-11-20/run={RUN}/repos-00099.parquet", parquet())
    assert functions.load(notification(stored)).status_code == 200
    entry = functions.warehouse.find(stored.version)
    assert entry is not None
    assert (functions.builds, build_requests.requested(functions.lake)) == ([None], entry.load_seq)


def test_part_of_run_without_plan_is_loaded(functions: Deployed) -> None:
    stored = put(functions, f"raw/repos/dt=2026-11-20/run={RUN}/repos-00000.parquet", parquet())
    answer = functions.load(notification(stored))
    assert answer.status_code == 200
    assert functions.warehouse.find(stored.version) is not None


@pytest.mark.parametrize(
    "content", [b"", b'{"run_id":', b"[]", b'{"run_id": 7}'], ids=["empty", "cut", "a list", "other"]
)
def test_a_part_of_a_run_whose_plan_is_damaged_is_loaded_once(functions: Deployed, content: bytes) -> None:
    functions.lake.write(f"runs/{RUN}/plan.json", content, 0)
    stored = put(functions, f"raw/repos/dt=2026-11-20/run={RUN}/repos-00000.parquet", parquet())
    assert functions.load(notification(stored)).status_code == 200
    entry = functions.warehouse.find(stored.version)
    assert entry is not None
    assert build_requests.requested(functions.lake) == entry.load_seq
