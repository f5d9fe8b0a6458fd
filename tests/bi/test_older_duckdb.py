"""The published copy opens in DuckDB 1.x, which most tools that read DuckDB have."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.deploy.packages.packaging import UV
from tests.warehouse.publishing import publish

from millrace.laptop.data_dir import DataDir
from millrace.warehouse.duckdb import builds
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse

RELEASE = "1.2.0"  # the first release that opens the format
READ = """
import duckdb, hashlib, json, sys
found = {}
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    names = "SELECT table_schema, table_name FROM information_schema.tables ORDER BY ALL"
    for schema, table in connection.execute(names).fetchall():
        rows = sorted(map(repr, connection.execute(f'SELECT * FROM "{schema}"."{table}"').fetchall()))
        found[f"{schema}.{table}"] = [len(rows), hashlib.sha256("".join(rows).encode()).hexdigest()]
print(json.dumps({"version": duckdb.__version__, "tables": found}))
"""


@pytest.fixture(scope="session")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an older DuckDB."""
    folder = tmp_path_factory.mktemp("older")
    line = [UV, "pip", "install", "--quiet", "--no-deps", "--python", sys.executable, "--target", folder]
    done = subprocess.run([*line, f"duckdb=={RELEASE}"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"DuckDB {RELEASE} cannot be installed here: {done.stderr.strip()[-200:]}")
    return folder


def read(published: Path, folder: Path | None = None) -> Any:
    """Return the number of rows of each table and a hash of all its values, as a DuckDB reads them."""
    environment = {"PYTHONPATH": str(folder)} if folder else {}
    line = [sys.executable, "-c", READ, str(published)]
    done = subprocess.run(line, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def storage_version(path: Path) -> int:
    """Return the version of the format that a DuckDB file has in its header."""
    return int.from_bytes(path.read_bytes()[12:20], "little")


def test_duckdb_of_early_2025_reads_every_table(built: DataDir, older: Path) -> None:
    theirs, ours = read(built.published, older), read(built.published)
    assert theirs["version"] == RELEASE
    assert theirs["tables"] == ours["tables"]
    assert sum(rows for rows, _ in ours["tables"].values()) > 1000


@pytest.mark.fast
def test_published_copy_has_the_format_of_duckdb_1_2(tmp_path: Path) -> None:
    with DuckDBWarehouse(tmp_path / "millrace.duckdb") as warehouse:
        publish(warehouse)
        assert storage_version(warehouse.published_path) == 65


@pytest.mark.fast
def test_copy_in_a_newer_format_opens_and_is_replaced(tmp_path: Path) -> None:
    with DuckDBWarehouse(tmp_path / "millrace.duckdb") as warehouse:
        first = publish(warehouse)
        published = warehouse.published_path
        with duckdb.connect() as connection:  # as the release before published it
            connection.execute(f"ATTACH '{tmp_path}/newer' AS newer (STORAGE_VERSION 'latest')")
            connection.execute(f"ATTACH '{published}' AS published (READ_ONLY)")
            connection.execute("COPY FROM DATABASE published TO newer")
        (tmp_path / "newer").replace(published)
        assert storage_version(published) > 65
        assert builds.published(published) == first
        assert publish(warehouse).number == 2
        assert storage_version(published) == 65
