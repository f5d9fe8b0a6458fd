"""The build job's image, built and run as it is deployed: `make prove-image`. It takes minutes."""

import json
import os
import re
from pathlib import Path

import duckdb
import pytest
from tests.dbt.raw_tables import make_warehouse, sample_rows
from tests.deploy.image.rig import ALONE, FOLDER, JOB, MISSING, rig, run

from millrace.warehouse.snowflake.session import Address

pytestmark = [pytest.mark.skipif(not FOLDER.exists(), reason=MISSING), pytest.mark.usefixtures("images")]
NOBODY = 65532
# The build of the job, without what it asks of the warehouse before.
BUILD_WITHOUT_LOADS = """
import json, sys
from millrace.build import dbt
from millrace.config import BuildConfig
from millrace.warehouse import DbtTarget
config = BuildConfig("", "", "/app/dbt", "/data/target", "1GB", 60, 0)
dbt.build(config, DbtTarget("prod", json.loads(sys.argv[1])))
"""


def owned_by_the_image(folder: Path) -> Path:
    """Create a folder with a warehouse that has rows, owned by the image's user."""
    folder = folder / "data"
    (folder / "lake").mkdir(parents=True)
    make_warehouse(folder / "millrace.duckdb", sample_rows())
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return owned_by_the_image(tmp_path)


def build(data: Path, *arguments: str, **settings: str) -> tuple[int, list[dict[str, object]]]:
    """Run the job over a folder; return its exit code and its log."""
    given = {"MILLRACE_LAKE": "file:///data/lake", "MILLRACE_DBT_TARGET_DIR": "/data/target"} | settings
    options = [part for name, value in given.items() for part in ("-e", f"{name}={value}")]
    ended = run(*options, "-v", f"{data}:/data", JOB, *arguments)
    assert "Traceback" not in ended.err, ended.err
    return ended.code, [json.loads(line) for line in ended.err.splitlines()]


def test_the_job_builds_the_marts_with_nothing_but_a_folder_to_write_to(data: Path) -> None:
    code, lines = build(data)
    assert code == 0, lines
    assert [line["message"] for line in lines] == ["build started", "built", "published"]
    with duckdb.connect(data / "published.duckdb", read_only=True) as connection:
        assert connection.execute("SELECT count(*) > 0 FROM mart.velocity").fetchall() == [(True,)]
        assert connection.execute("SELECT number, result FROM meta.builds").fetchall() == [(1, "good")]


def parses(data: Path) -> bool:
    """Return whether dbt parsed the project in its last run."""
    return "Starting full parse" in (data / "target" / "dbt.log").read_text()


def test_the_job_does_not_parse_what_was_parsed_when_the_image_was_made(data: Path) -> None:
    code, _ = build(data, MILLRACE_MEMORY="900MB")
    assert (code, parses(data)) == (0, False)


def test_other_warehouse_is_parsed_again_and_built(data: Path) -> None:
    (data / "millrace.duckdb").rename(data / "other.duckdb")
    code, _ = build(data, MILLRACE_WAREHOUSE="duckdb:///data/other.duckdb")
    assert (code, parses(data)) == (0, True)


@pytest.mark.parametrize(
    ("database", "is_parsed"),
    [pytest.param("MILLRACE", False, id="its own"), pytest.param("OTHER", True, id="another")],
)
def test_the_job_on_snowflake_does_not_parse_whatever_its_account_is(
    data: Path, database: str, is_parsed: bool
) -> None:
    """Nothing answers at the address: dbt fails when it connects, which is after it would have parsed."""
    address = Address.parse(
        f"snowflake://acme-{database}/{database}?user=U&role=R&warehouse=W&host=127.0.0.1&port=9&protocol=http"
    )
    settings = address.for_dbt() | {"HOME": "/tmp"}  # noqa: S108
    options = [part for name, value in settings.items() for part in ("-e", f"{name}={value}")]
    arguments = ("-c", BUILD_WITHOUT_LOADS, json.dumps(address.for_dbt()))
    run(*options, "-v", f"{data}:/data", "--entrypoint", "python", JOB, *arguments)
    assert parses(data) is is_parsed


def test_the_job_needs_nowhere_to_write_but_tmp_and_the_warehouse(data: Path) -> None:
    code, lines = build(data, MILLRACE_DBT_TARGET_DIR="/tmp/target")  # noqa: S108
    assert code == 0, lines
    assert {path.name for path in data.iterdir()} == {
        "lake",
        "millrace.duckdb",
        "published.duckdb",
        "published.duckdb.lock",
    }


def test_a_missing_setting_is_one_line_and_2(data: Path) -> None:
    code, (line,) = build(data, MILLRACE_LAKE="")
    assert code == 2
    assert "MILLRACE_LAKE is not set" in str(line["error"])


def inside(*command: str) -> str:
    return run("--entrypoint", command[0], JOB, *command[1:]).out


def test_container_runs_as_unprivileged_user_without_capabilities() -> None:
    assert inside("id", "-u").split() == [str(NOBODY)]
    capabilities = re.findall(r"Cap\w+:\s+(\w+)", inside("cat", "/proc/self/status"))
    assert {int(each, 16) for each in capabilities} == {0}


def test_nothing_in_it_builds_or_installs() -> None:
    tools = ("pip", "pip3", "uv", "gcc", "cc", "make", "git", "curl", "wget")
    assert inside("sh", "-c", f"for tool in {' '.join(tools)}; do command -v $tool; done") == ""
    assert inside("sh", "-c", "find / -xdev -name pip -o -name ensurepip -o -name setuptools 2>/dev/null") == ""


def test_it_is_healthy_when_its_settings_are_in_order() -> None:
    check = rig("ocirun", *ALONE, "-e", "MILLRACE_LAKE=file:///tmp/lake", JOB, "--check")
    assert (check.code, check.err) == (0, "")
