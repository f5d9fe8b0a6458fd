"""The cost of each case is right in the marts: all homes are sent to one lake, as of 28 users, and built once."""

from decimal import Decimal

import pytest
from tests.proofs.usage_cases.building import built, costs
from tests.proofs.usage_cases.cases import CASES, Case, Row


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Row]]:
    return built(tmp_path_factory.mktemp("cases"))


def is_right(case: Case, found: list[Decimal | None]) -> bool:
    """Return whether all costs are known and add up; where none is given, whether none is 0."""
    if case.cost_usd is None:
        return len(found) == case.counts.responses and all(cost is None or cost > 0 for cost in found)
    return None not in found and abs(sum(filter(None, found), Decimal(0)) - case.cost_usd) < Decimal("1e-8")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_cost_is_right(rows: dict[str, list[Row]], case: Case) -> None:
    found = costs(rows[case.name])
    assert is_right(case, found), found
