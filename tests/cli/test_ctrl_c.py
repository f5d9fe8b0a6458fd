"""Ctrl-C while dbt builds: one line, 130, an abandoned build in the status, and the next build mends all."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from tests.build.test_stopping import MODELS, project_of_slow_models
from tests.build.world import World

from millrace import interrupts
from millrace.build.dbt import Build
from millrace.cli import collect, main as cli
from millrace.errors import TerminalError
from millrace.laptop.data_dir import DataDir
from millrace.laptop.project import PROJECT

# `millrace build` as it is, over a small project of slow models.
COMMAND = """
import sys
from pathlib import Path
from millrace.cli import collect, main as cli
from millrace.laptop import data_dir
data_dir.PROJECT = Path(sys.argv[1])

class Noting:
    def find_spec(name, *of):
        if name == "dbt.contracts.graph.manifest":
            Path(sys.argv[2], "importing").touch()

sys.meta_path.insert(0, Noting)
sys.exit(cli.main(["build", "--data-dir", sys.argv[2]]))
"""


def start(project: Path, place: DataDir) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", COMMAND, str(project), str(place.root)]
    settings = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(PROJECT / "src")}
    # Its own group: dbt's threads get the signal of a terminal too.
    return subprocess.Popen(command, env=settings, stderr=subprocess.PIPE, text=True, start_new_session=True)


def is_importing(place: DataDir) -> bool:
    return (place.root / "importing").exists()


def is_parsing(place: DataDir) -> bool:
    return (place.dbt / "dbt.log").exists()


def is_building(place: DataDir) -> bool:
    return is_parsing(place) and f"1 of {MODELS} START" in (place.dbt / "dbt.log").read_text()


@pytest.mark.slow
def test_ctrl_c_at_any_instant_of_a_build_abandons_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project, place = tmp_path / "project", DataDir(tmp_path / "data")
    place.lake.mkdir(parents=True)
    models = project_of_slow_models(project / "jobs" / "dbt-runner" / "dbt") / "models"
    for number, has_come in enumerate((is_importing, is_parsing, is_building), start=1):
        (place.dbt / "dbt.log").unlink(missing_ok=True)
        child = start(project, place)
        while child.poll() is None and not has_come(place):
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate()
        *progress, last = filter(None, said.splitlines())
        assert (child.returncode, last) == (130, "error: interrupted; run it again to go on"), has_come
        assert [line for line in progress if not line.startswith("  built ")] == [], has_come
        assert cli.main(["status", "--data-dir", str(place.root)]) == 3
        looks = [line for line in capsys.readouterr().out.splitlines() if line.startswith("look:")]
        assert looks[0].startswith(f"look: build {number} was abandoned; type: millrace build --data-dir "), has_come
        assert [line for line in looks if "try again in a moment" in line] == []
    for model in models.glob("*.sql"):
        model.write_text("select 1 as n")
    last_run = start(project, place)
    last_run.communicate()
    assert last_run.returncode == 0
    assert cli.main(["status", "--data-dir", str(place.root)]) == 0
    assert "look:" not in capsys.readouterr().out


@pytest.mark.parametrize("library", ["raises another error", "returns a result", "fails in our words"])
def test_ctrl_c_that_a_library_swallows_abandons_the_build(tmp_path: Path, library: str) -> None:
    world = World(tmp_path)

    def dbt(number: int, retry_of: int | None) -> Build:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            if library == "raises another error":
                raise ValueError("Field quote_policy has invalid value") from None
            if library == "fails in our words":
                raise TerminalError("dbt could not build: no reason given") from None
        return world.dbt(number, retry_of)

    world.request()
    with pytest.raises(KeyboardInterrupt), interrupts.raising(signal.SIGINT):
        world.run(dbt=dbt)
    assert world.results() == ["abandoned"]
    assert world.run().state == "good"


def test_ctrl_c_before_a_watch_begins_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def swallow(following: object) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise RuntimeError("interrupted query") from None

    monkeypatch.setattr(collect._Following, "begin", swallow)
    monkeypatch.setattr("millrace.cli.watch.follow", lambda *of: pytest.fail("it went on"))
    begin = click.Command("collect", callback=lambda: collect._watch(None, None, None))  # type: ignore[arg-type]
    assert cli.main([], begin) == 130
