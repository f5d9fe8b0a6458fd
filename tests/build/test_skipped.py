"""A node that dbt skipped names the node that failed before it."""

from types import SimpleNamespace
from typing import Any

import pytest

from millrace.build import dbt


def result(name: str, status: str, *needs: str, message: str | None = None) -> Any:
    node = SimpleNamespace(
        name=name, unique_id=name, resource_type="model", depends_on=SimpleNamespace(nodes=list(needs))
    )
    return SimpleNamespace(node=node, status=status, message=message, execution_time=0.1)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        pytest.param("error", "it needs project_repositories", id="a model failed"),
        pytest.param("success", "it needs what a test refused", id="a test failed"),
    ],
)
def test_skipped_node_names_the_node_that_failed(status: str, reason: str) -> None:
    given = [
        result("usage_daily", "success"),
        result("project_repositories", status, "usage_daily", message="Invalid Input Error: missing ]: [\n"),
        result("int_usage_attributed", "skipped", "usage_daily", "project_repositories"),
        result("cost_per_merged_pr", "skipped", "int_usage_attributed"),
    ]
    results = {each.node.unique_id: each for each in given}
    said = {each.node.name: dbt._node(each, results) for each in given}
    assert {said[name].message for name in ("int_usage_attributed", "cost_per_merged_pr")} == {reason}
    assert not said["cost_per_merged_pr"].is_good
