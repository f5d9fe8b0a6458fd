"""What was read of GitHub and Cursor: each mart cell is the truth on both engines."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.proofs.github import scenes
from tests.proofs.github.marts import check
from tests.proofs.github.scenes import staged
from tests.proofs.parity import engines


@pytest.mark.proof
def test_each_mart_cell_of_github_is_the_truth_on_both_engines(tmp_path: Path) -> None:
    with staged(tmp_path) as scene, engines.on_the_emulator(tmp_path, scene.lake) as other:
        read = scenes.renamed_and_moved(scene)
        scene.load(other)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(scene.build, (scene.engine, other)))
        checked = {engine.name: check(engine, read) for engine in (scene.engine, other)}
    assert [found for each in checked.values() for found in each.differences] == []
    assert min(each.cells for each in checked.values()) > 10_000
