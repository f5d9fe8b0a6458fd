"""The data directory that a command uses where none is named, and the refusal of a folder that is none."""

from pathlib import Path

import pytest

from millrace.cli import main as cli
from millrace.laptop import places
from millrace.laptop.project import PROJECT

VERBS = (
    *(("build",), ("doctor",), ("quarantine", "list"), ("rebuild",), ("reconcile",), ("report",), ("serve",)),
    *(("status",), ("usage", "backfill")),
)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def drop(root: Path) -> None:
    """Drop a file, so that a data directory has rows."""
    (root / "lake" / "drop" / "repos").mkdir(parents=True)
    (root / "lake" / "drop" / "repos" / "mine.csv").write_text("full_name\nacme/shop\n")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: an empty one, outside of the checkout."""
    monkeypatch.delenv("MILLRACE_DATA_DIR", raising=False)
    monkeypatch.delenv("MILLRACE_COLLECT_STATE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def own(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data directory of the environment, which is not there yet."""
    monkeypatch.setenv("MILLRACE_DATA_DIR", "mine")
    return here / "mine"


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
@pytest.mark.parametrize("name", ["typo", "file", "notes"])
def test_folder_that_is_no_data_directory_is_refused(
    verb: tuple[str, ...], name: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "file").touch()
    (here / "notes").mkdir()
    (here / "notes" / "a.txt").touch()
    before = files(here)
    assert cli.main([*verb, "--data-dir", name]) == 2
    said = capsys.readouterr().err
    assert (said.startswith(f"error: --data-dir: {name} "), said.count("\n")) == (True, 1), said
    assert files(here) == before


@pytest.mark.parametrize("verb", ["build", "rebuild", "reconcile"])
def test_nothing_is_built_before_anything_ran(verb: str, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([verb]) == 2
    assert f"nothing has run in {own} yet; type: millrace " in capsys.readouterr().err
    assert not own.exists()


def test_outer_folder_of_a_demo_names_the_demo(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drop(here / "data" / "demo")
    assert cli.main(["status", "--data-dir", "data"]) == 2
    assert "did you mean data/demo?" in capsys.readouterr().err


def test_demo_is_shown_until_there_are_own_rows(own: Path) -> None:
    assert places.shown() == own
    drop(own / "demo")
    assert places.shown() == places.demo() == own / "demo"
    drop(own)
    assert places.shown() == places.real() == own


def test_verb_that_shows_the_demo_says_so(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drop(own / "demo")
    cli.main(["doctor"])
    assert capsys.readouterr().err.splitlines()[0] == "mine/demo: the simulated company; mine has no rows"


def test_default_is_that_of_the_checkout_in_each_folder(here: Path) -> None:
    assert places.real() == PROJECT / "data"
    (here / "data" / "lake").mkdir(parents=True)  # what an earlier version used in this folder
    assert places.real() == here / "data"


def test_without_a_verb_five_lines_end_in_the_next_command(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (len(lines), lines[0], lines[-1].startswith("next: millrace demo")) == (5, "Data     mine", True)
    assert not own.exists()


def test_wrong_world_is_refused_before_anything_starts(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for option, value, expected in (
        ("--developers", "0", "expected 2 to 2,000 developers, got 0"),
        ("--days", "many", "expected 1 to 3,650 days, got many"),
        ("--clone-share", "2", "expected a number from 0 to 1, got 2"),
        ("--end", "yesterday", "expected an instant like 2026-11-28T00:00:00Z, got 'yesterday'"),
    ):
        assert cli.main(["demo", option, value]) == 2
        assert expected in capsys.readouterr().err
    assert files(own.parent) == []
