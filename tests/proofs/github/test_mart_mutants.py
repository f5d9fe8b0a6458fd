"""Each rule of the delivery marts that is taken away is noticed where it belongs."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.proofs.github import scenes
from tests.proofs.github.mart_mutants import MUTANTS, MartMutant, mutated
from tests.proofs.github.marts import Read, check
from tests.proofs.github.scenes import Scene, staged

pytestmark = pytest.mark.proof


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Scene, Read]]:
    with staged(tmp_path_factory.mktemp("mutated")) as scene:
        yield scene, scenes.renamed_and_moved(scene)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_truth_notices_that(read: tuple[Scene, Read], tmp_path: Path, mutant: MartMutant) -> None:
    scene, what = read
    engine = replace(scene.engine, project=mutated(mutant, tmp_path), target=tmp_path / "target")
    scene.build(engine)
    found = check(engine, what).differences
    noticed = {
        each.partition(": ")[2].partition(" is ")[0] for each in found if each.startswith("merged_pull_requests")
    }
    assert mutant.shows_in in noticed
