"""Edits of the dbt project, each of which takes one rule of the delivery marts away; the truth notices every one."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.proofs.parity.engines import PROJECT

_MODELS = "models/intermediate"


@dataclass(frozen=True, slots=True)
class Edit:
    """A text of a file of the project, which is there once, and what takes its place."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class MartMutant:
    """A rule that is taken away, and the column of merged pull requests where it shows; "rows" for rows themselves."""

    name: str
    edits: Sequence[Edit]
    shows_in: str


MUTANTS = (
    MartMutant(
        "the_hashes_have_no_order",
        [
            Edit(
                f"{_MODELS}/int_github_ai_lines_matched.sql",
                "            when role = 'before_force_push' then 2\n            else 3\n",
                "            else 1\n",
            )
        ],
        "ai_lines_added",
    ),
    MartMutant(
        "what_a_push_replaced_counts_beside_the_branch",
        [
            Edit(
                f"{_MODELS}/int_github_ai_lines_matched.sql",
                "(matched_in_branch = 0 and place_in_change = 1)",
                "place_in_change = 1",
            )
        ],
        "ai_lines_added",
    ),
    MartMutant(
        "lines_count_for_each_report_of_a_commit",
        [
            Edit(f"{_MODELS}/int_ai_commits_deduplicated.sql", "where place = 1", "where place >= 1"),
            Edit(f"{_MODELS}/int_github_ai_commits_joined.sql", "where place = 1", "where place >= 1"),
        ],
        "ai_lines_added",
    ),
    MartMutant(
        "a_share_of_any_size_is_enough",
        [
            Edit(
                f"{_MODELS}/int_github_ai_lines_matched.sql",
                "when ai_matched_commit_share >= cast({{ var('ai_matched_share_minimum') }} as double)",
                "when ai_matched_commit_share >= 0",
            )
        ],
        "ai_band",
    ),
    MartMutant(
        "a_renamed_repository_has_the_name_of_each_reading",
        [
            Edit(
                f"{_MODELS}/int_pull_requests_united.sql",
                "        github_repositories.repo_name,\n",
                "        github_pull_requests.repo_name,\n",
            )
        ],
        "rows",
    ),
    MartMutant(
        "a_repository_that_moved_counts_in_both_accounts",
        [
            Edit(
                f"{_MODELS}/int_github_repositories_owned.sql",
                "            partition by repo_id, created_at\n",
                "            partition by repo_id, created_at, account\n",
            )
        ],
        "rows",
    ),
    MartMutant(
        "a_repository_of_another_server_with_the_same_id_is_the_same",
        [
            Edit(
                f"{_MODELS}/int_github_repositories_owned.sql",
                "            partition by repo_id, created_at\n",
                "            partition by repo_id\n",
            )
        ],
        "rows",
    ),
    MartMutant(
        "commits_of_an_older_reading_stay",
        [
            Edit(
                f"{_MODELS}/int_github_commits_listed.sql",
                "        or pull_request_updated_at = newest_updated_at\n",
                "        or pull_request_updated_at <= newest_updated_at\n",
            )
        ],
        "ai_matchable_commits",
    ),
    MartMutant(
        "an_instant_of_1970_is_believed",
        [Edit("macros/arithmetic/happened_at.sql", "{{ column }} >= cast('1990-01-01' as datetime)", "true")],
        "first_commit_at",
    ),
    MartMutant(
        "a_ratio_of_any_size_is_believed",
        [
            Edit(
                "models/staging/stg_pull_requests.sql",
                "case when ai_ratio between 0 and 1 then cast(ai_ratio as double) end",
                "cast(ai_ratio as double)",
            )
        ],
        "ai_ratio",
    ),
)
"""Every mutant."""


def mutated(mutant: MartMutant, folder: Path) -> Path:
    """Return a copy of the project without the rule."""
    project = folder / "dbt"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    for edit in mutant.edits:
        path = project / edit.path
        text = path.read_text()
        assert text.count(edit.old) == 1, f"{mutant.name}: {edit.path} has {text.count(edit.old)} times: {edit.old}"
        path.write_text(text.replace(edit.old, edit.new))
    return project
