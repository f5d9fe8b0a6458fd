"""Where no pull request of an author is known to be reverted or kept, the number of reverts is unknown, and not 0."""

from tests.page.browser import UNKNOWN, Visit
from tests.page.test_agents import answered, cells, opened_by


def test_reverts_of_an_agent_without_a_merged_pull_request_are_unknown(panels: Visit) -> None:
    agents = [
        opened_by("agent", "codex", 30, 0, reverted_prs=0, revert_rate=0.0),
        opened_by("agent", "jules", 0, 30, reverted_prs=0),
    ]
    assert [row[-1] for row in cells(answered(panels, agents).redraw("agent-prs"))] == ["0 (0%)n 30", f"{UNKNOWN}n 0"]
