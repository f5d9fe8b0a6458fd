"""dbt's artifacts of each build are kept in the lake, and no build depends on them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.build.world import FAILED, GOOD, World

from millrace.build.dbt import Build
from millrace.errors import ConfigError
from millrace.lake import StoredObject
from millrace.lake.local import LocalLake


class Closed(LocalLake):
    """A bucket in which the job may write no artifacts."""

    def write(self, name: str, content: bytes | Path, if_generation: int) -> StoredObject:
        if name.startswith("build/artifacts/"):
            raise ConfigError("403")
        return super().write(name, content, if_generation)


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir()
    for name in ("run_results", "manifest"):
        (folder / f"{name}.json").write_text(f'"{name}"')
    return folder


def kept(world: World) -> dict[str, bytes]:
    names = [stored.version.name for stored in world.lake.list("build/artifacts/")]
    return {name.removeprefix("build/artifacts/"): world.lake.read(name)[0] for name in names}


@pytest.mark.parametrize("built", [pytest.param(GOOD, id="good"), pytest.param(FAILED, id="failed")])
def test_dbt_artifacts_are_stored_by_build_number_and_token(world: World, artifacts: Path, built: Build) -> None:
    world.request()
    world.run(dbt=lambda number, retry_of: replace(built, artifacts=artifacts))
    assert kept(world) == {"1-1/manifest.json": b'"manifest"', "1-1/run_results.json": b'"run_results"'}
    assert (artifacts / "manifest.json").exists()


def test_a_later_build_replaces_nothing_that_was_kept(world: World, artifacts: Path) -> None:
    for _ in range(2):
        world.request()
        world.run(dbt=lambda number, retry_of: replace(GOOD, artifacts=artifacts))
    assert sorted(kept(world)) == [
        f"{build}/{name}.json" for build in ("1-1", "2-2") for name in ("manifest", "run_results")
    ]


@pytest.mark.parametrize(
    ("changed", "warnings"),
    [
        pytest.param({"lake": "closed"}, 2, id="the bucket refuses"),
        pytest.param({"artifacts": "missing"}, 0, id="dbt left none"),
    ],
)
def test_a_build_is_good_and_published_whether_its_artifacts_are_kept_or_not(
    world: World, artifacts: Path, changed: dict[str, Any], warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    world.request()
    lake = Closed(world.folder / "lake", "lake") if "lake" in changed else world.lake
    folder = artifacts / changed.get("artifacts", "")
    assert (
        world.run(lake=lake, dbt=lambda number, retry_of: replace(world.dbt(1, None), artifacts=folder)).state == "good"
    )
    assert world.published_load_seq() == world.last().built_through
    assert [record.message for record in caplog.records].count("artifact not kept") == warnings
