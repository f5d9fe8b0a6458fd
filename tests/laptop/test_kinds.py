"""A data directory has the rows of a demo or real ones, never both: pull requests, usage events, dropped files."""

import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import warm
from tests.collect.machine import Machine, response
from tests.laptop.conftest import Outcome

from millrace.cli import main as cli
from millrace.laptop.data_dir import DataDir
from millrace.laptop.kinds import Binding, Note
from millrace.laptop.project import PROJECT
from millrace.laptop.source import SIMULATOR_KEY, simulator

WORLD = ("--developers", "2", "--days", "3", "--end", "2026-10-20T00:00:00Z")
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


def test_note_is_parsed_as_written() -> None:
    note = Note("real", (Binding("https://one", "acme"), Binding("https://two", "other")))
    assert Note.parse(note.to_bytes()) == note
    assert json.loads(note.to_bytes())["source"] == "https://one"  # which an earlier version reads


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
    assert millrace("demo", *same, "--data-dir", str(before)).code == 0


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
