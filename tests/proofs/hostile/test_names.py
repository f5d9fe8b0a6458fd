"""Malicious names of objects and of files: none is followed, none is trusted, each is reported."""

import os
from pathlib import Path

import pytest
from tests.proofs.hostile.conftest import Door

from millrace.lake import ObjectVersion, StoredObject
from millrace.lake.local import LocalLake

pytestmark = pytest.mark.slow

CONTENT = b"full_name\na\n"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("drop/repos/a\nb.csv", "object_name", id="a newline"),
        pytest.param("drop/repos/a\x1b[2J.csv", "object_name", id="a terminal's command"),
        pytest.param("drop/repos/\u202efdp.csv", "object_name", id="a text that runs backwards"),
        pytest.param("drop/repos/a.csv.exe", "object_name", id="another kind"),
        pytest.param("drop/repos/csv", "object_name", id="no kind"),
        pytest.param("drop/rep\u043es/a.csv", "unknown_table", id="a Cyrillic letter"),
        pytest.param("drop/REPOS/a.csv", "unknown_table", id="upper case"),
        pytest.param("drop/repos;drop table x/a.csv", "unknown_table", id="SQL for a table"),
        pytest.param("drop/meta.loads/a.csv", "unknown_table", id="the ledger"),
        pytest.param("drop/a.csv", "object_name", id="no table"),
        pytest.param("raw/repos/dt=2026-13-45/run=20261120T060000Z/repos-00000.parquet", "object_name", id="no day"),
        pytest.param("raw/repos/dt=2026-11-20/run=x/repos-00000.parquet", "object_name", id="no run"),
        pytest.param("raw/repos/dt=\u0662026-11-20/run=20261120T060000Z/r-00000.parquet", "object_name", id="digits"),
    ],
)
def test_object_with_invalid_name_is_quarantined(door: Door, name: str, reason: str) -> None:
    entry, why = door.drop(name, CONTENT)
    assert (entry.quarantine_reason, why.isprintable()) == (reason, True)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param('drop/repos/it\'s "the" one.csv', id="quotes"),
        pytest.param("drop/repos/*?[a-z]{b}.csv", id="a pattern"),
        pytest.param("drop/repos/%2e%2e%2fa.csv", id="an encoded path"),
        pytest.param("drop/repos/a'); DROP TABLE raw.repos; --.csv", id="SQL"),
        pytest.param("drop/repos/dt=2020-01-01/full_name=evil/a.csv", id="columns in folders"),
        pytest.param("drop/repos/\u4e2d\u6587 \U0001f600.CSV", id="other scripts"),
        pytest.param("drop/repos/" + "/".join(["d" * 200] * 4) + "/a.csv", id="a long path"),
    ],
)
def test_a_strange_but_plain_name_is_loaded_and_means_nothing(door: Door, name: str) -> None:
    entry, why = door.drop(name, CONTENT)
    assert (why, entry.rows_inserted) == ("", 1)
    assert [row[0] for row in door.functions.rows("repos")] == ["a", "good"]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("drop/repos/../../../etc/passwd", id="a path upwards"),
        pytest.param("/etc/passwd", id="an absolute path"),
        pytest.param("drop/repos/./a.csv", id="a dot"),
        pytest.param("drop//a.csv", id="an empty part"),
        pytest.param("drop/repos/\0.csv", id="a zero byte"),
        pytest.param("drop/repos/" + "x" * 1009 + ".csv", id="1,024 bytes"),
        pytest.param("drop/repos/" + "x" * 1010 + ".csv", id="1,025 bytes"),
    ],
)
def test_a_name_that_no_file_can_have_reads_nothing(door: Door, name: str) -> None:
    stored = StoredObject(ObjectVersion("lake", name, 1), 1, None)
    door.deliver(stored)
    kept = [each.version.name for each in door.functions.quarantine.list("")]
    assert [each for each in kept if not each.endswith(".json")] == []
    door.load_a_good_file("repos")


def test_links_pipes_and_sockets_in_the_folder_are_no_way_out_of_it(tmp_path: Path) -> None:
    lake = LocalLake(tmp_path / "lake", "lake")
    secret = tmp_path / "secret.csv"
    secret.write_bytes(CONTENT)
    folder = tmp_path / "lake" / "drop" / "repos"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "pipe.csv")
    (folder / "gone.csv").symlink_to(tmp_path / "gone")
    (folder / "loop").symlink_to(folder)
    (folder / "out").symlink_to(tmp_path)
    (folder / "good.csv").write_bytes(CONTENT)
    assert [stored.version.name for stored in lake.list("drop/")] == ["drop/repos/good.csv"]
