"""A recorded extraction is served as its distinct rows through every route."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.simulator.client import Client
from tests.simulator.rows import commit, pull, review

import simulator

RECORDED = Path(__file__).parents[1] / "golden/captures/seed-2dev-90d-medium/full-exact.jsonl.gz"


def write(path: Path, *bodies: object) -> Path:
    headers = {"Date": "Fri, 20 Nov 2026 16:44:35 GMT"}
    with gzip.open(path, "wt") as lines:
        for body in bodies:
            lines.write(json.dumps({"path": "/x", "status": 200, "headers": headers, "body": json.dumps(body)}) + "\n")
    return path


def test_rows_recorded_twice_are_served_once(tmp_path: Path) -> None:
    one, two = pull(1, "2026-11-19T00:00:00Z"), pull(2, "2026-11-19T00:00:00Z")
    path = write(tmp_path / "r.gz", [one, two], {"data": [two, one]}, {"items": [commit("a", "2026-11-19T00:00:00Z")]})
    world = simulator.world_from_recording(path)
    assert [row["number"] for row in world.pulls.rows] == [1, 2]
    assert len(world.commits.rows) == 1


def test_reviews_recorded_one_pull_request_at_a_time_are_all_there(tmp_path: Path) -> None:
    at = "2026-11-19T00:00:00Z"
    path = write(tmp_path / "r.gz", [review(1, 101, at)], [], [review(2, 102, at), review(3, 102, at)])
    assert [row["id"] for row in simulator.world_from_recording(path).reviews.rows] == [1, 2, 3]


def test_now_is_when_it_was_recorded(tmp_path: Path, connect: Callable[[str], Client]) -> None:
    rows = [commit("in", "2026-10-22T00:00:00Z"), commit("out", "2026-10-20T00:00:00Z")]
    world = simulator.world_from_recording(write(tmp_path / "r.gz", {"items": rows}))
    with simulator.serve(world) as running:
        answer = connect(running.url).json("/analytics/ai-code/commits")
    assert [row["commitHash"] for row in answer["items"]] == ["in"]


@pytest.mark.parametrize("body", [[], {"error": "x"}])
def test_a_recording_without_rows_is_refused(tmp_path: Path, body: object) -> None:
    with pytest.raises(ValueError, match="without rows"):
        simulator.world_from_recording(write(tmp_path / "r.gz", body))


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.gz"
    path.write_bytes(gzip.compress(b'{"url": "x"}\n'))
    with pytest.raises(ValueError, match="is no recording"):
        simulator.world_from_recording(path)


def test_a_recorded_server_is_answered_for_byte_by_byte(connect: Callable[[str], Client]) -> None:
    with gzip.open(RECORDED, "rt") as lines:
        recorded = [json.loads(line) for line in lines]
    with simulator.serve(simulator.world_from_recording(RECORDED)) as running:
        client = connect(running.url)
        answers = {entry["path"]: client.get(entry["path"]).text for entry in recorded}
    stable = [entry for entry in recorded if entry["path"] != "/repos"]
    assert len(stable) > 5
    assert all(answers[entry["path"]] == entry["body"] for entry in stable)
