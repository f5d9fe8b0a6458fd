"""A real process, really killed; `make faults-kill` does it at every step."""

from pathlib import Path

import pytest
from tests.killing.killing import contents, run, unsettled


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, list[tuple[object, ...]]]]:
    data = tmp_path_factory.mktemp("clean")
    finished = run(data)
    assert finished.code == 0, finished.err
    return finished.steps, contents(data)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7])  # beyond, how often the lease is renewed decides
def test_a_run_killed_on_the_way_is_finished_by_the_next(
    tmp_path: Path, clean: tuple[int, dict[str, list[tuple[object, ...]]]], share: float
) -> None:
    steps, expected = clean
    assert run(tmp_path, kill_at=int(steps * share)).code == -9
    finished = run(tmp_path)
    assert finished.code == 0, finished.err
    assert unsettled(tmp_path) == []
    assert contents(tmp_path) == expected
