"""A build that its user stopped is noted as abandoned in every warehouse, unless another build has started."""

import pytest
from tests.contract.test_build_log import T0, Either, warehouse

from millrace.warehouse import Fenced

__all__ = ["warehouse"]  # a fixture


def test_stopped_build_is_abandoned_and_the_next_one_is_not(warehouse: Either) -> None:
    build = warehouse.start_build(1, "somebody", None)
    warehouse.abandon_build(build)
    (noted,) = warehouse.last_builds()
    assert (noted.result, noted.finished_at, noted.seconds, noted.nodes) == ("abandoned", T0, None, ())
    assert warehouse.start_build(2, "somebody", None).result == "running"
    with pytest.raises(Fenced):
        warehouse.abandon_build(build)
    assert [each.result for each in warehouse.last_builds(2)] == ["running", "abandoned"]
