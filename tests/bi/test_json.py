"""The JSON of each command has its schema and the keys that docs/json.md promises."""

import json
import re
import shutil
from pathlib import Path

import pytest
from tests.bi.conftest import WORLD
from tests.cli.test_tree import LEAVES
from tests.collect.machine import Machine, response

from millrace.cli import main as cli
from millrace.laptop.data_dir import DataDir
from millrace.laptop.project import PROJECT
from simulator.github import DEFAULT_TOKEN, generate, served

ROWS = re.findall(
    r"^\| `(millrace/[\w-]+/\d+)` \| `millrace ([\w ]+)` \| (.*) \|$", (PROJECT / "docs/json.md").read_text(), re.M
)
PROMISED = {schema: [re.findall(r"`(\w+)`", part) for part in keys.split(";")] for schema, _, keys in ROWS}
SIMULATOR = [word for word in WORLD if word != "--no-limiter"]


@pytest.fixture(scope="module")
def place(built: DataDir, tmp_path_factory: pytest.TempPathFactory) -> DataDir:
    """A copy of the data directory, with a dropped file in quarantine."""
    place = DataDir(tmp_path_factory.mktemp("json") / "data")
    shutil.copytree(built.root, place.root)
    for number in (1, 2):
        (place.drop / "commits" / f"bad{number}.csv").parent.mkdir(parents=True, exist_ok=True)
        (place.drop / "commits" / f"bad{number}.csv").write_text(f"nothing\n{number}\n")
    return place


@pytest.mark.fast
def test_every_verb_with_json_is_described() -> None:
    described = {tuple(verb.split()) for _, verb, _ in ROWS}
    aliases = {("etl", "status"), ("usage", "doctor")}
    with_json = {path for path, command in LEAVES.items() if any(each.name == "as_json" for each in command.params)}
    assert with_json - aliases - {("quarantine", "list")} == described
    named = {schema: verb.removeprefix("usage ") for schema, verb, _ in ROWS}
    assert {schema: f"millrace/{'-'.join(verb.split())}/1" for schema, verb in named.items()} == {
        name: name for name in PROMISED
    }


@pytest.mark.fast
def test_demo_promises_what_a_run_does() -> None:
    assert PROMISED["millrace/demo/1"] == PROMISED["millrace/run/1"]


def test_each_answer_has_its_schema_and_promised_keys(
    place: DataDir, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(tmp_path)
    machine.log("claude").write_bytes(response("m1"))
    home, own = ["--home", str(machine.home)], DataDir(tmp_path / "own")
    own.root.mkdir()
    (run_id,) = (path.name for path in (place.lake / "runs").iterdir())

    def answer(*words: str, place: DataDir | None = place) -> dict[str, object]:
        cli.main([*words, "--json", *(["--data-dir", str(place.root)] if place else [])])
        found: dict[str, object] = json.loads(capsys.readouterr().out)
        return found

    answers = {
        "build": answer("build"),
        "run": answer("run", "--drops", "--no-build"),
        "status": answer("status"),
        "etl status": answer("etl", "status"),
        "doctor": answer("doctor"),
        "reconcile": answer("reconcile", *SIMULATOR),
        "reconcile RUN": answer("reconcile", run_id),
        "report": answer("report", *home, place=own),
        "report blocks": answer("report", "blocks", *home, place=own),
        "collect": answer("collect", "--dry-run", *home, place=own),
        "collect nothing": answer("collect", "--home", str(tmp_path / "none"), place=DataDir(tmp_path / "empty")),
        "backfill nothing": answer("usage", "backfill", "--home", str(tmp_path / "none"), place=own),
        "export": answer("export", "--to", str(tmp_path / "out")),
    }
    monkeypatch.setenv("GITHUB_TOKEN", DEFAULT_TOKEN)
    for name in ("MILLRACE_LAKE", "MILLRACE_SOURCE", "MILLRACE_ACCOUNT", "MILLRACE_SOURCE_URL", "MILLRACE_SOURCE_KEY"):
        monkeypatch.setenv(name, "")  # the verb sets them
    with served(generate(1, 2)) as github:
        of_github = ["--source", "github", "--account", "acme", "--source-url", github.url]
        answers["source-test"] = answer("source", "test", *of_github, place=None)
    shop = ["src-shop", "acme/shop", "--force"]
    rates = ["my-model", "--input", "3", "--output", "15"]
    to_lake = ["--lake", (tmp_path / "lake").as_uri()]
    answers |= {
        "map-project dry": answer("map", "project", *shop, "--dry-run"),
        "map-project lake": answer("map", "project", *shop, *to_lake, place=None),
        "map-project": answer("map", "project", *shop, "--no-build"),
        "map-user": answer("map", "user", "ada@example.com", "ada", "--force", "--no-build"),
        "map-list": answer("map", "list"),
        "prices-list": answer("prices", "list", "claude-sonnet-4-5"),
        "prices-add dry": answer("prices", "add", *rates, "--dry-run"),
        "prices-add": answer("prices", "add", *rates, "--no-build"),
        "prices-remove lake": answer("prices", "remove", "my-model", "--from", "2026-01-01", *to_lake, place=None),
    }
    cli.main(["quarantine", "list", "--json", "--data-dir", str(place.root)])
    first, second = (entry["id"] for entry in json.loads(capsys.readouterr().out))
    answers["quarantine-show"] = answer("quarantine", "show", first)
    answers["quarantine-retry"] = answer("quarantine", "retry", first)
    answers["quarantine-discard"] = answer("quarantine", "discard", second, "a test")
    for name, found in answers.items():
        verb = "status" if name == "etl status" else name.split()[0]
        schema, promised = f"millrace/{verb}/1", PROMISED[f"millrace/{verb}/1"]
        assert (name, next(iter(found)), found["schema"]) == (name, "schema", schema)
        assert any(set(keys) <= set(found) for keys in promised), (name, list(found))
