"""The marts over what was read of GitHub and Cursor, each cell against the truth of the simulators."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.proofs.github import scenes
from tests.proofs.github.marts import GRAINS, Checked, Read, check
from tests.proofs.github.scenes import CURSOR, Scene, staged
from tests.proofs.github.wrong_clocks import CLOCKS

from simulator.truth.github.instants import happened

OVER = "has_ai_lines_over_additions"


@dataclass(frozen=True)
class Built:
    """A scene whose marts are built, what was read, and how they compare with the truth."""

    scene: Scene
    read: Read
    checked: Checked

    @property
    def merged(self) -> list[dict[str, object]]:
        """The merged pull requests of GitHub."""
        rows = self.scene.engine.rows("mart.merged_pull_requests")
        return [dict(row) for row in rows if row["source"] == "github"]


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    with staged(tmp_path_factory.mktemp("moved")) as scene:
        read = scenes.renamed_and_moved(scene)
        scene.build()
        yield Built(scene, read, check(scene.engine, read))


@pytest.mark.slow
def test_every_mart_cell_is_the_truth_after_pushes_merges_a_rename_and_a_move(moved: Built) -> None:
    assert moved.checked.differences == []
    assert moved.checked.unknown == {name: set() for name in GRAINS}
    assert moved.checked.cells > 10_000


@pytest.mark.slow
def test_what_the_truth_is_about_happens_often_enough(moved: Built) -> None:
    pulls = [pull for each in moved.read.companies for repository in each.repositories for pull in repository.pulls]
    squashed = [each for each in pulls if each.merge_commit and len(each.merge_commit.parents) == 1]
    pushed = [each for each in pulls if any(event.before for event in each.events)]
    renamed = [each for each in pulls if each.repository.name == "store"]
    assert (len(squashed) >= 50, len(pushed) >= 20, len(renamed) >= 10) == (True, True, True)
    assert {row["author_kind"] for row in moved.merged} == {"user", "bot", "ghost"}
    assert {row["revert_how"] for row in moved.merged} > {"head_branch", "body", "headline"}
    assert {row["ai_matched_role"] for row in moved.merged} == {"branch", "before_force_push", "merge", None}
    assert {row["ai_band"] for row in moved.merged} == {"low", "medium", "high", "unknown"}


@pytest.mark.slow
def test_pull_requests_of_a_renamed_and_a_moved_repository_are_there_once(moved: Built) -> None:
    of_repositories = Counter((row["account"], row["repo_name"]) for row in moved.merged)
    merged = {
        (each.account.login, repository.full_name): sum(bool(happened(pull.merged_at)) for pull in repository.pulls)
        for each in moved.read.companies
        for repository in each.repositories
    }
    assert dict(of_repositories) == merged
    assert set(merged) == {
        ("acme", "acme/store"),
        ("acme", "acme/api"),
        ("beta", "beta/web"),
        ("beta", "beta/tools"),
        ("delta", "delta/shop"),
        ("epsilon", "epsilon/shop"),
    }


@pytest.mark.slow
def test_four_of_five_commits_on_the_page_of_cursor_are_a_share_of_80_percent(moved: Built) -> None:
    merged = [row for row in moved.merged if row["account"] == scenes.FIFTHS]
    weeks = [row for row in moved.scene.engine.rows("mart.velocity") if row["account"] == scenes.FIFTHS]
    assert len(merged) >= 30
    assert {(row["ai_matched_role"], row["ai_matched_commit_share"]) for row in merged} == {("branch", 0.8)}
    assert None not in {row["ai_lines_added"] for row in merged}
    assert sum(row["ai_matched_commits"] for row in weeks) * 5 == sum(row["ai_matchable_commits"] for row in weeks) * 4


@pytest.mark.slow
def test_values_that_cannot_be_are_of_each_table_and_reason(moved: Built) -> None:
    rows = moved.scene.engine.rows("mart.implausible_values")
    found = {(row["account"], row["table_name"], row["reason"]) for row in rows}
    assert found == {
        *((CURSOR, table, "before_1990") for table in ("commits", "pull_requests", "reviews")),
        (CURSOR, "pull_requests", "ai_ratio_outside_0_and_1"),
        *((CLOCKS, f"github_{table}", "before_1990") for table in ("commits", "pull_requests", "reviews")),
        (CLOCKS, "github_pull_request_events", "before_1990"),
    }
    assert min(row["value_count"] for row in rows) >= 5
    over = Counter(row["source"] for row in moved.scene.engine.rows("mart.merged_pull_requests") if row[OVER])
    assert min(over["github"], over["cursor-sim"]) >= 3


@pytest.mark.proof
def test_every_mart_cell_of_300_pull_requests_is_the_truth_while_others_work(tmp_path: Path) -> None:
    with staged(tmp_path) as scene:
        read = scenes.while_others_work(scene)
        scene.build()
        checked = check(scene.engine, read)
    assert checked.differences == []
    assert checked.cells > 20_000
