"""The doctor's lines, run as printed over a real pipeline: each mends its finding, in the marts too."""

import json
import os
import shlex
import subprocess
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from tests import warm

from millrace.status.suggestions import UNKNOWN

pytestmark = pytest.mark.slow
PULL_REQUEST = {
    "id": 1,
    "number": 1,
    "repo_name": "acme/shop",
    "state": "merged",
    "author_id": "user_004",
    "author_email": "dev004@example.com",
    "created_at": "2026-11-20T00:00:00Z",
    "merged_at": "2026-11-23T00:00:00Z",
    "updated_at": "2026-11-23T00:00:00Z",
}


class Place:
    """A home with the logs of one agent, and a data directory that has pull requests too."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "a b"
        self.home = folder / "home"
        logs = self.home / ".claude" / "projects" / "p"
        logs.mkdir(parents=True)
        lines = [self._response(n, "claude-sonnet-4-5" if n % 2 else "mystery-1") for n in range(8)]
        (logs / "S1.jsonl").write_text("".join(lines))
        dropped = self.data / "lake" / "drop"
        for table, row in (("repos", {"full_name": "acme/shop"}), ("pull_requests", PULL_REQUEST)):
            (dropped / table).mkdir(parents=True)
            (dropped / table / "rows.ndjson").write_text(json.dumps(row) + "\n")

    def _response(self, number: int, model: str) -> str:
        tokens = {"input_tokens": 100_000, "output_tokens": 10_000, "cache_read_input_tokens": 1000 * (number == 2)}
        message = {"id": f"m{number}", "role": "assistant", "model": model, "usage": tokens}
        at = {
            "timestamp": "2026-11-21T00:00:00Z",
            "cwd": "/home/x/src/shop",
            "sessionId": "S1",
            "requestId": f"r{number}",
        }
        return json.dumps({"type": "assistant", "message": message} | at) + "\n"

    def millrace(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        own = {"HOME": str(self.home), "MILLRACE_COLLECT_USER": "dev004@mail.example.org"}
        return warm.run("millrace", *arguments, environment=os.environ | own)

    def doctor(self) -> tuple[int, str, list[list[str]]]:
        done = self.millrace("doctor", "--data-dir", str(self.data))
        lines = [line.strip() for line in done.stdout.splitlines() if line.startswith("    millrace ")]
        return done.returncode, done.stdout, [shlex.split(line, comments=True) for line in lines]

    def query(self, sql: str) -> list[tuple[object, ...]]:
        with closing(duckdb.connect(str(self.data / "published.duckdb"), read_only=True)) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("mapped"))
    done = place.millrace("collect", "--data-dir", str(place.data))
    assert done.returncode == 0, done.stderr
    return place


def test_lines_of_the_doctor_mend_what_they_are_printed_for(place: Place) -> None:
    code, said, lines = place.doctor()
    price, project, user = lines
    assert (code, "mystery-1" in said, "src-shop" in said, "dev004@mail.example.org" in said) == (1, True, True, True)
    assert (project[1:5], user[1:5]) == (
        ["map", "project", "src-shop", "acme/shop"],
        ["map", "user", "dev004@mail.example.org", "user_004"],
    )
    assert place.millrace(*price[1:]).returncode == 2  # a … is what only a person knows

    loaded = place.millrace(*user[1:], "--no-build")
    assert (loaded.returncode, "the marts do not have it yet; type: millrace build" in loaded.stdout) == (0, True)
    mapped = place.millrace(*project[1:])
    assert (mapped.returncode, mapped.stdout.splitlines()[-1]) == (
        0,
        "src-shop → acme/shop: at least $1.80 of 8 responses now have a repository",
    ), mapped.stderr

    rates = iter(("3", "15", "0.3"))
    priced = place.millrace(*(next(rates) if word == UNKNOWN else word for word in price[1:]))
    assert (priced.returncode, priced.stdout.splitlines()[-1]) == (
        0,
        "mystery-1 (standard, from 2024-01-01): 4 responses of 4 got a cost, $1.80 in all (mystery-1)",
    ), priced.stderr

    code, said, lines = place.doctor()
    assert (code, lines) == (0, [])
    assert not any(name in said for name in ("mystery-1", "src-shop", "dev004"))
    assert place.query("select repo_name from mart.project_repositories") == [("acme/shop",)]
    assert place.query("select developer from mart.user_developers") == [("user_004",)]
    costs = place.query("select sum(cost_usd) from mart.usage_events where model = 'mystery-1'")
    assert costs == [(Decimal("1.8003"),)]
    spent = place.query("select repo_name, developer, sum(cost_usd) from mart.cost_per_merged_pr group by all")
    assert ("acme/shop", "user_004", Decimal("3.6003")) in spent


def test_what_is_mapped_and_priced_is_listed(place: Place) -> None:
    listed = place.millrace("map", "list", "--data-dir", str(place.data)).stdout
    assert "project src-shop → acme/shop: $3.60 of 8 responses in 1 project" in listed
    said = place.millrace("prices", "list", "mystery-1", "--json", "--data-dir", str(place.data)).stdout
    rows = json.loads(said)["rows"]
    assert [(float(row["input_usd"]), float(row["cache_read_usd"]), row["cache_write_5m_usd"]) for row in rows] == [
        (3.0, 0.3, "")
    ]
    planned = place.millrace("map", "project", "src-shop", "--remove", "--dry-run", "--data-dir", str(place.data))
    assert planned.stdout.startswith("src-shop → no repository: would be for $3.60 of 8 responses (src-shop)")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        pytest.param(["project", "", "acme/shop"], "expected the name of a project, got ''", id="no name"),
        pytest.param(["project", "a\tb", "acme/shop"], "without control characters, got 'a\\tb'", id="a tabulator"),
        pytest.param(
            ["project", "x", "shop"], "a repository like acme/shop, got 'shop' (did you mean acme/shop?)", id="no owner"
        ),
        pytest.param(
            ["user", "x", "user_04"],
            "no pull request has the developer 'user_04' (did you mean user_004?)",
            id="a typo",
        ),
        pytest.param(["project", "y", "--remove"], "maps the project 'y'; type: millrace map list", id="not mapped"),
    ],
)
def test_what_cannot_be_right_is_refused_before_it_is_written(place: Place, arguments: list[str], why: str) -> None:
    before = sorted((place.data / "lake" / "drop").rglob("*"))
    done = place.millrace("map", *arguments, "--data-dir", str(place.data))
    assert (done.returncode, done.stdout, why in done.stderr) == (2, "", True), done.stderr
    assert sorted((place.data / "lake" / "drop").rglob("*")) == before


def test_unknown_project_is_a_warning_with_near_matches(place: Place) -> None:
    done = place.millrace("map", "project", "src-shp", "ACME/Shop", "--dry-run", "--data-dir", str(place.data))
    assert done.returncode == 0
    assert "look: no usage has the project 'src-shp' (did you mean src-shop?)" in done.stdout
    assert "src-shp → acme/shop: " in done.stdout
