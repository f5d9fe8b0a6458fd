"""The lake and the state folder of `millrace collect`: options before settings before defaults."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.collect.machine import response
from tests.collect.test_repositories import made, remote

from millrace.cli import collect, main as cli
from millrace.config import CollectConfig
from millrace.laptop.data_dir import DataDir
from millrace.laptop.kinds import Note


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with one response of an agent; the working folder is empty."""
    for name in (
        "MILLRACE_LAKE",
        "MILLRACE_COLLECT_STATE",
        "MILLRACE_COLLECT",
        "MILLRACE_COLLECT_HASH_KEY",
        "MILLRACE_COLLECT_OWNERS",
    ):
        monkeypatch.delenv(name, raising=False)
    log = tmp_path / "home" / ".claude" / "projects" / "-src-app" / "0e8b7c1c-1111-4111-8111-000000000001.jsonl"
    log.parent.mkdir(parents=True)
    log.write_bytes(response("m1"))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return tmp_path / "home"


def objects(lake: Path) -> list[Path]:
    return sorted(lake.glob("drop/usage_events/**/*.parquet"))


def test_lake_of_the_setting_is_sent_to(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_LAKE", f"file://{tmp_path}/lake")
    monkeypatch.setenv("MILLRACE_COLLECT_STATE", str(tmp_path / "state"))
    assert cli.main(["collect", "--home", str(home)]) == 0
    assert (len(objects(tmp_path / "lake")), Path("data").exists()) == (1, False)


def test_lake_of_the_option_wins_over_the_setting(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_LAKE", f"file://{tmp_path}/lake")
    assert cli.main(["collect", "--home", str(home), "--lake", f"file://{tmp_path}/other"]) == 0
    assert (len(objects(tmp_path / "lake")), len(objects(tmp_path / "other"))) == (0, 1)


def test_state_folder_of_the_setting_is_used_with_a_data_directory(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MILLRACE_COLLECT_STATE", str(tmp_path / "state"))
    command = ["collect", "--home", str(home), "--data-dir", str(tmp_path / "data"), "--dry-run", "--json"]
    assert cli.main(command) == 0
    assert json.loads(capsys.readouterr().out)["would_send"]["rows"] == 1
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "collector.pid").write_text("1")
    (tmp_path / "data").mkdir()
    assert cli.main(["status", "--data-dir", str(tmp_path / "data")]) in (0, 1)
    assert "Watcher  running (pid 1)" in capsys.readouterr().out


def test_state_is_kept_in_the_folder_of_the_setting(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLRACE_COLLECT_STATE", str(tmp_path / "state"))
    cli.main(["collect", "--home", str(home), "--lake", f"file://{tmp_path}/lake"])
    assert (tmp_path / "state" / "state.sqlite").exists()


def test_collecting_that_is_off_reads_nothing(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_COLLECT", "off")
    assert cli.main(["collect", "--home", str(home), "--lake", f"file://{tmp_path}/lake"]) == 0
    assert objects(tmp_path / "lake") == []


OFF = ["off", "OFF", " off", "off ", "off\t", "0", "false", "no", "n", "F", "None", "disabled", "never"]
UNCLEAR = ["of", "offf", "aus", "nope", "2", "'off'", "off;", "on off"]


@pytest.mark.parametrize("word", OFF)
def test_words_for_off_switch_off(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    monkeypatch.setenv("MILLRACE_COLLECT", word)
    assert cli.main(["collect", "--home", str(home), "--lake", f"file://{tmp_path}/lake"]) == 0
    assert objects(tmp_path / "lake") == []


@pytest.mark.parametrize("word", ["on", " ON ", "1", "true", "yes", "", " "])
def test_words_for_on_collect(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    monkeypatch.setenv("MILLRACE_COLLECT", word)
    monkeypatch.setenv("MILLRACE_COLLECT_STATE", str(tmp_path / "state"))
    assert cli.main(["collect", "--home", str(home), "--lake", f"file://{tmp_path}/lake"]) == 0
    assert len(objects(tmp_path / "lake")) == 1


@pytest.mark.parametrize("option", ["--dry-run", "--watch", "--json"])
@pytest.mark.parametrize("word", UNCLEAR)
def test_word_that_is_neither_is_refused(
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    word: str,
    option: str,
) -> None:
    monkeypatch.setenv("MILLRACE_COLLECT", word)
    assert cli.main(["collect", "--home", str(home), "--lake", f"file://{tmp_path}/lake", option]) == 2
    assert capsys.readouterr().err.startswith(f"error: MILLRACE_COLLECT: expected on or off, got {word!r}")
    assert objects(tmp_path / "lake") == []


def test_status_ignores_invalid_collect_switch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MILLRACE_COLLECT", "offf")
    assert cli.main(["status", "--data-dir", str(tmp_path)]) == 1
    assert capsys.readouterr().out.startswith("ETL pipeline: empty")


@pytest.mark.parametrize("key", ["a", " ", "x" * 15, f"{'x' * 15}          ", "\t\n"])
def test_hash_key_that_can_be_guessed_is_refused(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    monkeypatch.setenv("MILLRACE_COLLECT_HASH_KEY", key)
    assert cli.main(["collect", "--home", str(home), "--lake", f"file://{tmp_path}/lake"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: MILLRACE_COLLECT_HASH_KEY: expected at least 16 characters")
    assert said.count("\n") == 1
    assert objects(tmp_path / "lake") == []


def test_hash_key_is_the_same_with_blanks_around_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_COLLECT_HASH_KEY", f" {'k' * 16}\n")
    assert CollectConfig.from_env().hash_key == "k" * 16


@pytest.mark.parametrize("options", [(), ("--dry-run",), ("--watch",), ("--install", "--dry-run")])
@pytest.mark.parametrize("named", ["demo/lake", "demo/../demo/lake/", "link", "demo/buckets/lake"])
def test_lake_folder_of_a_demo_is_refused_as_its_data_directory_is(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], named: str, options: tuple[str, ...]
) -> None:
    demo = DataDir(tmp_path / "demo")
    for lake in (demo.lake, demo.root / "buckets" / "lake"):
        (lake / "drop" / "repos").mkdir(parents=True)
        (lake / "drop" / "repos" / "simulated.csv").write_text("full_name\nacme/shop\n")
    demo.note.write_bytes(Note("demo").to_bytes())
    (tmp_path / "link").symlink_to(demo.lake)
    assert cli.main(["collect", "--home", str(home), "--lake", f"file://{tmp_path}/{named}", *options]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {tmp_path}/demo holds a simulated company, which is never mixed with your own")
    assert said.count("\n") == 1
    assert [objects(lake) for lake in (demo.lake, demo.root / "buckets" / "lake")] == [[], []]


def test_lake_folder_of_a_data_directory_with_real_rows_is_sent_to(home: Path, tmp_path: Path) -> None:
    real = DataDir(tmp_path / "real")
    (real.drop / "repos").mkdir(parents=True)
    (real.drop / "repos" / "mine.csv").write_text("full_name\nacme/shop\n")
    real.note.write_bytes(Note("real").to_bytes())
    assert cli.main(["collect", "--home", str(home), "--lake", real.lake.as_uri()]) == 0
    assert len(objects(real.lake)) == 1


def sent_repositories(lake: Path) -> list[str | None]:
    rows = [row for path in objects(lake) for row in pq.read_table(path).to_pylist()]
    rows.sort(key=lambda row: row["_extracted_at"])
    return [row["repository"] for row in rows]


@pytest.mark.parametrize(
    ("option", "setting", "expected"),
    [
        pytest.param(None, None, None, id="no list"),
        pytest.param("acme,other", None, "Acme/Shop", id="the option"),
        pytest.param(None, " ACME ", "Acme/Shop", id="the setting"),
        pytest.param("other", "acme", None, id="the option before the setting"),
    ],
)
def test_a_lake_gets_repositories_of_listed_owners_alone(
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    option: str | None,
    setting: str | None,
    expected: str | None,
) -> None:
    made(home / "shop/.git", remote("git@github.com:Acme/Shop.git"))
    next(home.glob(".claude/projects/*/*.jsonl")).write_bytes(response("m1", cwd=str(home / "shop")))
    monkeypatch.setenv("MILLRACE_COLLECT_STATE", str(tmp_path / "state"))
    if setting:
        monkeypatch.setenv("MILLRACE_COLLECT_OWNERS", setting)
    words = ["--owners", option] if option else []
    assert cli.main(["collect", "--home", str(home), "--lake", f"file://{tmp_path}/lake", *words]) == 0
    assert sent_repositories(tmp_path / "lake") == [expected]


def test_a_data_directory_gets_repositories_of_all_owners_unless_some_are_listed(home: Path, tmp_path: Path) -> None:
    made(home / "shop/.git", remote())
    next(home.glob(".claude/projects/*/*.jsonl")).write_bytes(response("m1", cwd=str(home / "shop")))
    for name, owners in (("all", None), ("some", frozenset(["other"]))):
        machine = collect.machine_of(home, None, None, tmp_path / name / "collector", owners)
        assert machine is not None
        with machine.collector() as collector:
            collector.collect()
    found = {name: pq.read_table(next((tmp_path / name).rglob("*.parquet"))) for name in ("all", "some")}
    assert {name: rows["repository"].to_pylist() for name, rows in found.items()} == {
        "all": ["acme/shop"],
        "some": [None],
    }


@pytest.mark.parametrize("owners", ["acme/shop", "https://github.com/acme", "*", ",", "-acme"])
def test_a_list_that_names_no_owner_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], owners: str
) -> None:
    assert cli.main(["collect", "--home", str(home), "--owners", owners]) == 2
    assert "expected owners of repositories like acme,other, got" in capsys.readouterr().err
    monkeypatch.setenv("MILLRACE_COLLECT_OWNERS", owners)
    assert cli.main(["collect", "--home", str(home)]) == 2
    assert "MILLRACE_COLLECT_OWNERS: expected owners" in capsys.readouterr().err
