"""A parse that was made for the image is handed to dbt only if dbt would come to the same; by the real dbt."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dbt.contracts.graph.manifest import Manifest
from tests.dbt.raw_tables import make_warehouse, sample_rows

from millrace.build import dbt, parsed
from millrace.config import BuildConfig
from millrace.warehouse import DbtTarget
from millrace.warehouse.snowflake.session import Address

PROJECT = Path(__file__).resolve().parents[2] / "jobs" / "dbt-runner" / "dbt"
IMAGE = DbtTarget("prod", {"MILLRACE_SNOWFLAKE_DATABASE": "MILLRACE"})  # all that is known when the image is built
URL = "snowflake://acme-prod/MILLRACE?user=SOMEBODY&role=ROLE&warehouse=LARGE&host=h.example&port=8443"
JOB = DbtTarget("prod", Address.parse(URL, "a private key").for_dbt())
OTHER_DATABASE = DbtTarget("prod", Address.parse(URL.replace("/MILLRACE?", "/MILLRACE_DEV?")).for_dbt())


def parse(project: Path, target: DbtTarget) -> None:
    """Parse in a process of its own, as the image does: dbt keeps global state."""
    settings = [f"{name}={value}" for name, value in target.settings.items()]
    command = [sys.executable, "-m", "millrace.build.parsed", str(project), target.name, *settings]
    subprocess.run(command, check=True, capture_output=True, timeout=300)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as the image has it, parsed for Snowflake."""
    project = tmp_path_factory.mktemp("image") / "dbt"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs", ".user.yml"))
    parse(project, IMAGE)
    return project


def nodes(manifest: Manifest | None) -> dict[str, Any]:
    """Return what dbt knows of each node, source and macro, without the time and the folder of the parse."""
    assert manifest is not None
    known = {**manifest.nodes, **manifest.sources, **manifest.macros, **manifest.unit_tests}
    found = {name: each.to_dict() for name, each in known.items()}
    return {
        name: {key: value for key, value in each.items() if key not in ("created_at", "root_path")}
        for name, each in found.items()
    }


@pytest.mark.proof
def test_parse_without_account_equals_parse_with_the_jobs_account(shipped: Path, tmp_path: Path) -> None:
    own = tmp_path / "dbt"
    shutil.copytree(shipped, own, ignore=shutil.ignore_patterns("target"))
    parse(own, JOB)
    expected = nodes(parsed.handed(own, JOB))
    assert len(expected) > 500
    assert nodes(parsed.handed(shipped, JOB)) == expected


def test_parse_of_another_database_differs_and_is_not_handed(shipped: Path, tmp_path: Path) -> None:
    own = tmp_path / "dbt"
    shutil.copytree(shipped, own, ignore=shutil.ignore_patterns("target"))
    parse(own, OTHER_DATABASE)
    assert nodes(parsed.handed(own, OTHER_DATABASE)) != nodes(parsed.handed(shipped, JOB))
    assert parsed.handed(shipped, OTHER_DATABASE) is None


def _changed(project: Path) -> None:
    path = project / "models" / "staging" / "stg_commits.sql"
    path.write_text(path.read_text() + "\n")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_changed, id="a file that changed"),
        pytest.param(lambda project: (project / "models" / "new.sql").write_text("select 1 as a"), id="a new file"),
        pytest.param(lambda project: next(project.glob("tests/*.sql")).unlink(), id="a file that is gone"),
        pytest.param(lambda project: (project / "profiles.yml").write_text("millrace: {}"), id="another profile"),
    ],
)
def test_fingerprint_changes_with_the_files_of_the_project(
    tmp_path: Path, shipped: Path, change: Callable[[Path], object]
) -> None:
    own = tmp_path / "dbt"
    shutil.copytree(shipped, own)
    before = parsed.fingerprint(own, JOB)
    assert before != parsed.fingerprint(shipped, JOB)  # dbt notes where a seed lies
    shutil.rmtree(own / "target")
    assert parsed.fingerprint(own, JOB) == before
    change(own)
    assert parsed.fingerprint(own, JOB) != before


def test_a_changed_file_is_parsed_and_not_handed(shipped: Path) -> None:
    path = shipped / "models" / "staging" / "stg_commits.sql"
    text = path.read_text()
    assert parsed.handed(shipped, JOB) is not None
    path.write_text(text + "\n")
    assert parsed.handed(shipped, JOB) is None
    path.write_text(text)
    assert parsed.handed(PROJECT, JOB) is None


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(replace(IMAGE, name="local"), id="another target"),
        pytest.param(DbtTarget("prod", IMAGE.settings | {"MILLRACE_SNOWFLAKE_NEW": "x"}), id="a setting that is new"),
    ],
)
def test_parse_for_another_target_is_not_handed(shipped: Path, target: DbtTarget) -> None:
    assert parsed.handed(shipped, target) is None


def test_versions_of_dbt_are_part_of_the_fingerprint(shipped: Path) -> None:
    assert parsed.fingerprint(shipped, JOB) == parsed.fingerprint(shipped, IMAGE)
    assert parsed.fingerprint(shipped, JOB, ("dbt-core==1.0.0",)) != parsed.fingerprint(shipped, JOB)


def test_project_reads_nothing_of_the_connection_but_schema_and_type() -> None:
    # Both are in profiles.yml, for each target. Whatever else a model reads of it has to be in the fingerprint.
    texts = {path.name: path.read_text() for path in PROJECT.rglob("*.*") if path.suffix in (".sql", ".yml")}
    assert len(texts) > 80
    read = {found for text in texts.values() for found in re.findall(r"\btarget\.(\w+)|\btarget\[", text)}
    assert read == {"schema", "type"}
    assert [name for name, text in texts.items() if "env_var" in text] == ["profiles.yml"]


def test_build_with_a_handed_parse_is_good_and_parses_nothing(shipped: Path, tmp_path: Path) -> None:
    target = DbtTarget("local", {"MILLRACE_DUCKDB_PATH": str(tmp_path / "millrace.duckdb")})
    parse(shipped, target)
    make_warehouse(tmp_path / "millrace.duckdb", sample_rows())
    config = BuildConfig("", "", str(shipped), str(tmp_path / "target"), "200MB", 60, 0)
    built = dbt.build(config, replace(target, settings=target.settings | {"MILLRACE_DUCKDB_MEMORY": "300MB"}))
    assert built.is_good
    assert built.count("model") > 20
    log = (tmp_path / "target" / "dbt.log").read_text()
    assert not re.search("Starting full parse|Unable to do partial parsing|skipping parsing", log)
    kept = json.loads((tmp_path / "target" / "manifest.json").read_bytes())
    assert len(kept["nodes"]) > 80
