"""A data directory has the rows of a demo or real ones, never both: pull requests, usage events, dropped files."""

import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests import warm
from tests.collect.machine import Machine, response
from tests.laptop.conftest import Outcome

from millrace.cli import main as cli
from millrace.errors import ConfigError
from millrace.laptop import claims
from millrace.laptop.data_dir import DataDir
from millrace.laptop.kinds import CURSOR_SIM, GITHUB, Binding, Note, github_at
from millrace.laptop.project import PROJECT
from millrace.laptop.source import SIMULATOR_KEY, simulator

WORLD = ("--developers", "2", "--days", "3", "--end", "2026-10-20T00:00:00Z")
GITHUB_COM = github_at("https://api.github.com")
TINY = (*WORLD, "--no-usage", "--no-build")


def millrace(*arguments: str, **more: str) -> Outcome:
    done = warm.run("millrace", *arguments, environment={"PATH": "/usr/bin:/bin", "HOME": "/nowhere"} | more)
    return Outcome(done.returncode, done.stdout, done.stderr)


def refused(outcome: Outcome, *words: str) -> bool:
    """Return whether a command was refused by one line with these words."""
    is_one_line = outcome.err.startswith("error: ") and outcome.err.count("\n") == 1
    return outcome.code == 2 and is_one_line and all(word in outcome.err for word in words)


def rows_of(root: Path) -> dict[str, bytes]:
    kept = [*(root / "lake").rglob("*.parquet"), *(root / "lake").rglob("*.csv"), root / "source.json"]
    return {str(path.relative_to(root)): path.read_bytes() for path in kept if path.exists()}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one response of an agent."""
    machine = Machine(tmp_path_factory.mktemp("machine"))
    machine.log("claude").write_bytes(response("m1"))
    return machine.home


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a demo."""
    root = tmp_path_factory.mktemp("demo") / "data"
    outcome = millrace("run", *TINY, "--data-dir", str(root))
    assert outcome.code == 0, outcome.err
    return root


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Path:
    """A data directory with usage of this machine."""
    root = tmp_path_factory.mktemp("mine") / "data"
    outcome = millrace("collect", "--data-dir", str(root), "--home", str(home))
    assert outcome.code == 0, outcome.err
    return root


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of a server of the source API."""
    with simulator(["--developers=2", "--days=3", "--no-limiter"], SIMULATOR_KEY) as url:
        yield url


@pytest.mark.parametrize("options", [(), ("--watch",), ("--install",), ("--dry-run",)])
def test_collect_into_demo_is_refused(demo: Path, home: Path, options: tuple[str, ...]) -> None:
    before = rows_of(demo)
    outcome = millrace("collect", *options, "--data-dir", str(demo), "--home", str(home), HOME=str(home))
    assert refused(outcome, f"{demo} holds a simulated company", "--data-dir"), outcome.err
    assert rows_of(demo) == before


@pytest.mark.parametrize("verb", ["demo", "run"])
def test_demo_over_own_usage_is_refused(mine: Path, verb: str) -> None:
    before = rows_of(mine)
    outcome = millrace(verb, *WORLD, "--data-dir", str(mine))
    dry = millrace(verb, *WORLD, "--dry-run", "--data-dir", str(mine))
    assert outcome.err == dry.err
    assert refused(outcome, f"{mine} holds real rows", "type: millrace demo"), outcome.err
    assert rows_of(mine) == before


def test_backfill_and_real_source_into_demo_are_refused(demo: Path, home: Path, url: str) -> None:
    backfill = millrace("usage", "backfill", "--data-dir", str(demo), "--home", str(home))
    assert refused(backfill, "holds a simulated company"), backfill.err
    run = millrace("run", "--source-url", url, "--data-dir", str(demo), MILLRACE_SOURCE_KEY=SIMULATOR_KEY)
    assert refused(run, "holds a simulated company"), run.err


def test_demo_over_dropped_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lake" / "drop" / "repos").mkdir(parents=True)
    (tmp_path / "lake" / "drop" / "repos" / "mine.csv").write_text("full_name,default_branch\nacme/shop,main\n")
    assert refused(millrace("demo", *WORLD, "--data-dir", str(tmp_path)), "holds real rows")
    assert millrace("run", "--drops", "--no-build", "--data-dir", str(tmp_path)).code == 0
    assert DataDir(tmp_path).kind() == "real"


def test_collecting_beside_own_pull_requests_is_right(tmp_path: Path, home: Path, url: str) -> None:
    at, key = ("--data-dir", str(tmp_path / "data")), {"MILLRACE_SOURCE_KEY": SIMULATOR_KEY}
    assert millrace("run", "--source-url", url, "--no-build", *at, **key).code == 0
    assert millrace("collect", "--dry-run", *at, "--home", str(home)).code == 0
    named = millrace("demo", *WORLD, *at)
    assert refused(named, f"type: millrace run --source-url {url} --data-dir"), named.err


def test_mistyped_address_binds_nothing(tmp_path: Path, url: str) -> None:
    at, key = ("--no-build", "--data-dir", str(tmp_path)), {"MILLRACE_SOURCE_KEY": SIMULATOR_KEY}
    mistyped = millrace("run", "--source-url", f"{url}/typo", *at, **key)
    assert mistyped.code == 3, mistyped.err
    assert (DataDir(tmp_path).kind(), DataDir(tmp_path).sources()) == (None, ())
    assert millrace("run", "--source-url", url, *at, **key).code == 0
    assert DataDir(tmp_path).sources() == (Binding(url),)
    other = millrace("run", "--source-url", "http://127.0.0.1:9", *at, **key)
    assert refused(other, f"holds the rows of {url}, not of http://127.0.0.1:9"), other.err


def test_accounts_of_two_sources_go_together() -> None:
    one = Binding("https://one", "acme")
    assert not one.excludes(Binding("https://two", "other"))
    assert one.excludes(Binding("https://two", "acme"))
    assert one.excludes(Binding("https://two"))
    assert not one.excludes(one)


def test_sources_of_different_objects_go_together() -> None:
    commits, pulls = Binding("https://cursor", "acme", ("ai_commits",)), Binding(GITHUB_COM, "acme", GITHUB)
    assert not commits.excludes(pulls)
    assert not pulls.excludes(commits)
    both = Binding("https://cursor")
    assert both.objects == CURSOR_SIM == ("pull_requests", "ai_commits")
    assert both.excludes(pulls)
    assert pulls.excludes(both)
    assert not pulls.excludes(Binding(GITHUB_COM, "other", GITHUB))
    assert pulls.excludes(Binding(github_at("https://github.acme.com"), "acme", GITHUB))


def test_note_is_parsed_as_written() -> None:
    note = Note("real", (Binding("https://one", "acme", ("ai_commits",)), Binding("https://two", "other", GITHUB)))
    assert Note.parse(note.to_bytes()) == note
    assert json.loads(note.to_bytes())["source"] == "https://one"  # which an earlier version reads


def test_note_without_objects_is_of_cursor_sim() -> None:
    note = Note.parse(
        b'{"source": "https://one", "kind": "real", "sources": [{"source": "https://one", "account": null}]}'
    )
    assert note == Note("real", (Binding("https://one", None, CURSOR_SIM),))


@pytest.mark.parametrize("objects", [b'"pull_requests"', b'["issues"]', b"[[]]", b"[]", b"null"])
def test_note_of_unknown_objects_is_damaged(objects: bytes) -> None:
    assert (
        Note.parse(b'{"kind": "real", "sources": [{"source": "a", "account": null, "objects": %b}]}' % objects) is None
    )


def hold(data_dir: DataDir, run_id: str, table: str = "github_pull_requests", rows: int = 1) -> None:
    """Put a part of a run into the lake."""
    part = data_dir.lake / "raw" / table / "dt=2026-01-31" / f"run={run_id}" / f"{table}-00000.parquet"
    part.parent.mkdir(parents=True)
    pq.write_table(pa.table({"number": list(range(rows))}), part)


def test_second_source_of_an_object_is_refused_by_both_names(tmp_path: Path) -> None:
    data_dir = DataDir(tmp_path)
    claims.claim(data_dir, "real", "https://cursor.acme.com", None, ("pull_requests", "ai_commits"))
    hold(data_dir, "20260131T060000Z", "pull_requests")
    with pytest.raises(ConfigError) as caught:
        claims.claim(data_dir, "real", GITHUB_COM, "acme", GITHUB)
    assert str(caught.value) == (
        f"{tmp_path} holds the rows of https://cursor.acme.com, not of GitHub at https://api.github.com: the pull "
        "requests of an account (acme) have one source; give another --data-dir, or remove the folder"
    )
    assert data_dir.sources() == (Binding("https://cursor.acme.com"),)


def test_each_account_and_object_may_have_a_source(tmp_path: Path) -> None:
    data_dir = DataDir(tmp_path)
    bindings = (
        Binding("https://cursor.acme.com", None, ("ai_commits",)),
        Binding(GITHUB_COM, "acme", GITHUB),
        Binding(GITHUB_COM, "other", GITHUB),
        Binding(github_at("https://github.acme.com"), "third", GITHUB),
    )
    for n, each in enumerate(bindings):
        claims.claim(data_dir, "real", each.source, each.account, each.objects)
        hold(data_dir, f"2026013{n}T060000Z{'-' + each.account if each.account else ''}")
    assert data_dir.sources() == bindings
    with pytest.raises(
        ConfigError, match=r"GitHub at https://api\.github\.com, not of GitHub at https://github\.acme\.com"
    ):
        claims.require(data_dir, "real", github_at("https://github.acme.com"), "other", GITHUB)


def test_account_without_rows_binds_nothing_beside_another(tmp_path: Path) -> None:
    data_dir = DataDir(tmp_path)
    claims.claim(data_dir, "real", GITHUB_COM, "acme", GITHUB)
    hold(data_dir, "20260131T060000Z-acme")
    claims.claim(data_dir, "real", github_at("https://mistyped"), "other", GITHUB)
    hold(data_dir, "20260131T070000Z-other", rows=0)
    assert data_dir.sources() == (Binding(GITHUB_COM, "acme", GITHUB),)
    claims.claim(data_dir, "real", github_at("https://github.acme.com"), "other", GITHUB)


def test_demo_over_rows_of_github_names_the_command_of_that_source(tmp_path: Path) -> None:
    data_dir = DataDir(tmp_path)
    claims.claim(data_dir, "real", GITHUB_COM, "acme", GITHUB)
    hold(data_dir, "20260131T060000Z-acme")
    with pytest.raises(
        ConfigError, match=f"type: millrace run --source github --account acme --data-dir {tmp_path}, or:"
    ):
        claims.require(data_dir, "demo", "the simulator with 2 developers")


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """A data directory that `make run` of version 0.1.0 made."""
    with tarfile.open(PROJECT / "tests" / "golden" / "data-dir" / "0.1.0.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "data"


def test_earlier_demo_opens_as_demo(before: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert DataDir(before).kind() == "demo"
    assert cli.main(["status", "--data-dir", str(before)]) in (0, 1)  # 1: its last run is days ago
    assert capsys.readouterr().out.startswith("Simulated data")
    collect = millrace("collect", "--home", str(home), MILLRACE_DATA_DIR=str(before))
    assert refused(collect, f"move it away, then type this again: mv {before} {before}-demo"), collect.err
    same = ("--developers", "2", "--days", "6", "--end", "2026-10-20T00:00:00Z", "--no-usage")
    demo = millrace("demo", *same, "--data-dir", str(before))
    assert refused(demo, "holds another simulated company, or the one of an earlier version", f"rm -r {before}")
    assert millrace("run", "--source", "cursor-sim", *same, "--data-dir", str(before)).code == 0


def test_earlier_collection_opens_as_real(mine: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(mine, tmp_path / "data"))
    (root / "source.json").unlink()  # which `collect` did not write
    assert DataDir(root).kind() == "real"
    (root / "source.json").write_text('{"source": "https://host"}')  # written by `make run` with an address
    assert DataDir(root).kind() == "real"


def test_mixture_of_earlier_version_is_named_and_kept(mine: Path, tmp_path: Path, home: Path) -> None:
    root = Path(shutil.copytree(mine, tmp_path / "data"))
    (root / "source.json").write_text('{"source": "the simulator with 5 developers, seed 1, medium velocity"}')
    before = rows_of(root)
    for arguments in (("demo", *WORLD), ("run", *WORLD), ("collect", "--home", str(home))):
        outcome = millrace(*arguments, "--data-dir", str(root))
        assert refused(outcome, "which an earlier version mixed; nothing is lost", "troubleshooting.md"), outcome.err
    assert rows_of(root) == before
    shown = millrace("status", "--data-dir", str(root)).out.splitlines()
    assert shown[0].startswith("Simulated data")
    assert (shown[1].startswith("ETL pipeline: stale"), "which an earlier version mixed" in shown[2]) == (True, True)


def test_damaged_note_does_not_open(mine: Path, tmp_path: Path, home: Path) -> None:
    root = Path(shutil.copytree(mine, tmp_path / "data"))
    (root / "source.json").write_text('{"kind": "rea')
    outcome = millrace("collect", "--home", str(home), "--data-dir", str(root))
    assert refused(outcome, "source.json is damaged", "remove it if"), outcome.err
