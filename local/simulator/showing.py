"""The facts of `happening` as the API shows them at one instant: serialised rows."""

from simulator import gojson
from simulator.happening import CommitFact, PullFact, ReviewFact, full_hash
from simulator.instants import MINUTE_NS, format_instant
from simulator.world import WorldWriter

_TEXTS = {
    "approved": ("LGTM!", "Great work!", "Looks good to me"),
    "changes_requested": (
        "What happens if X is null?",
        "Is this edge case handled?",
        "Could we use a helper here?",
    ),
    "pending": (
        "Could we use a helper here?",
        "Consider renaming this variable",
        "Is 0 < n && n > 1 possible?",
    ),
}
_BODIES = {state: tuple(gojson.dumps(text) for text in texts) for state, texts in _TEXTS.items()}
_titles: dict[str, str] = {}


class Shower:
    """Writes the visible part of each pull request at `end_ns`, with instants at the given offset from UTC.

    With `has_full_hashes` a commit has git's whole hash, as in the answers of Cursor, else its first 12 characters.
    """

    def __init__(self, writer: WorldWriter, end_ns: int, offset_min: int, has_full_hashes: bool = False) -> None:
        self._writer = writer
        self._end_ns = end_ns
        self._offset_min = offset_min
        self._hash = full_hash if has_full_hashes else str

    def show(self, pull: PullFact) -> None:
        """Write its commits made by now and, once it is complete, the pull request and its reviews submitted by now."""
        for commit in pull.commits:
            if commit.at_ns <= self._end_ns:
                self._writer.add_commit(self._commit(pull, commit), pull.author.user_id, pull.repo, commit.at_ns)
        if pull.appears_ns > self._end_ns:
            return
        if pull.reverted_ns is not None:
            self._writer.note_revert(pull.id, pull.reverted_ns)
        state = pull.outcome if pull.outcome_ns <= self._end_ns or self._is_early(pull) else "open"
        self._writer.add_pull(
            self._pull(pull, state).encode(),
            repo=pull.repo,
            number=pull.number,
            author_email=pull.author.pr_email,
            state=state,
            created_ns=pull.created_ns,
        )
        for position, review in enumerate(pull.reviews):
            if review.at_ns <= self._end_ns or review.is_early:
                self._writer.add_review(self._review(pull, position, review).encode(), pull.id, review.reviewer)

    @staticmethod
    def _is_early(pull: PullFact) -> bool:
        """Return whether the merge is reported before it happens."""
        return pull.outcome == "merged" and pull.is_early

    def _instant(self, ns: int) -> str:
        return format_instant(ns, self._offset_min)

    def _commit(self, pull: PullFact, commit: CommitFact) -> bytes:
        who = pull.author
        at = self._instant(commit.at_ns)
        other = commit.added - commit.tab - commit.composer
        deleted_tab = commit.deleted * 6 // 10
        deleted_composer = (commit.deleted - deleted_tab) * 9 // 10
        deleted_other = commit.deleted - deleted_tab - deleted_composer
        return (
            f'{{"commitHash":"{self._hash(commit.hash)}","userId":"{who.user_id}","userEmail":"{who.email}",'
            f'"userName":"{who.name}","repoName":"{pull.repo}","branchName":"{pull.branch}",'
            f'"isPrimaryBranch":{"true" if commit.is_primary else "false"},'
            f'"totalLinesAdded":{commit.added},"totalLinesDeleted":{commit.deleted},'
            f'"tabLinesAdded":{commit.tab},"tabLinesDeleted":{deleted_tab},'
            f'"composerLinesAdded":{commit.composer},"composerLinesDeleted":{deleted_composer},'
            f'"nonAiLinesAdded":{other},"nonAiLinesDeleted":{deleted_other},'
            f'"message":{_title(pull.title)},"commitTs":"{at}","createdAt":"{at}"}}'
        ).encode()

    def _pull(self, pull: PullFact, state: str) -> str:
        who, quirk, commits = pull.author, pull.quirk, pull.commits
        added, tab = sum(c.added for c in commits), sum(c.tab for c in commits)
        composer = sum(c.composer for c in commits)
        parts = [
            f'{{"id":{pull.id},"number":{pull.number},"title":{_title(pull.title)},'
            f'"body":"Auto-generated PR from {len(commits)} commits","state":"{state}",'
            f'"author_id":"{"" if quirk == "author_unknown" else who.user_id}",'
            f'"author_email":"{who.pr_email}","author_name":"{who.pr_name}","repo_name":"{pull.repo}",'
            f'"base_branch":"main","head_branch":"{pull.branch}","reviewers":{_reviewers(pull)},'
            f'"labels":{_labels(pull)},"additions":{added},"deletions":{sum(c.deleted for c in commits)},'
            f'"initial_additions":{commits[0].added}'
        ]
        if quirk != "files_omitted":
            parts.append(f'"changed_files":{pull.changed_files}')
        parts.append(f'"commit_count":{len(commits)}')
        if quirk not in ("ratio_omitted", "ai_omitted"):
            parts.append(f'"ai_ratio":{(tab + composer) / added if added else 0}')
        if quirk != "ai_omitted":
            parts.append(f'"tab_lines":{tab},"composer_lines":{composer}')
        if quirk == "commits_unknown":
            parts.append('"commit_ids":["' + '","'.join(c.hash[::-1] for c in commits) + '"]')
        elif quirk != "commits_omitted":
            parts.append('"commit_ids":["' + '","'.join(self._hash(c.hash) for c in commits) + '"]')
        parts += self._pull_instants(pull, state)
        if quirk != "flags_omitted":
            is_reverted = pull.reverted_ns is not None and state == "merged" and pull.reverted_ns <= self._end_ns
            parts.append(
                f'"was_reverted":{"true" if is_reverted else "false"},'
                f'"is_bug_fix":{"true" if pull.is_bug_fix else "false"}'
            )
        return ",".join(parts) + "}"

    def _pull_instants(self, pull: PullFact, state: str) -> list[str]:
        """Return the instants; missing ones are omitted, not null; `updated_at` is that of the last commit."""
        parts = [
            f'"created_at":"{self._instant(pull.created_ns)}","updated_at":"{self._instant(pull.commits[-1].at_ns)}"'
        ]
        if state != "open":
            parts.append(f'"{state}_at":"{self._instant(pull.outcome_ns)}"')
        if pull.quirk == "first_times_given":
            seen = [review.at_ns for review in pull.reviews if review.at_ns <= self._end_ns]
            if seen:
                parts.append(f'"first_review_at":"{self._instant(min(seen))}"')
            parts.append(
                f'"first_commit_at":"{self._instant(pull.commits[0].at_ns)}",'
                f'"last_commit_at":"{self._instant(pull.commits[-1].at_ns)}"'
            )
        return parts

    def _review(self, pull: PullFact, position: int, review: ReviewFact) -> str:
        key = pull.review_id(position)
        texts = _BODIES[review.state.lower()]
        head = (
            f'{{"id":{key},"pr_id":{pull.id},"reviewer":"{review.reviewer}","state":"{review.state}",'
            f'"submitted_at":"{self._instant(review.at_ns)}","body":{texts[key % 3]}'
        )
        if not review.comments:
            return head + "}"
        comments = ",".join(
            f'{{"id":{(key * 7919 + n * 104_729) % 1_000_000},"pr_number":{pull.number},'
            f'"repo_name":"{pull.repo}",'
            f'"author_id":"{review.reviewer}","body":{texts[n % 3]},"state":"changes_requested",'
            f'"created_at":"{self._instant(review.at_ns + n * MINUTE_NS)}"}}'
            for n in range(review.comments)
        )
        return f'{head},"comments":[{comments}]}}'


def _title(text: str) -> str:
    """Return the title as JSON, from a cache: there are few different ones."""
    if text not in _titles:
        _titles[text] = gojson.dumps(text)
    return _titles[text]


def _reviewers(pull: PullFact) -> str:
    if pull.quirk != "reviewers_listed":
        return "null"
    return gojson.dumps([f"reviewer{n}@example.com" for n in range(pull.number % 3)])


def _labels(pull: PullFact) -> str:
    if pull.quirk != "labelled":
        return "null"
    return '["bug","feature"]' if pull.is_bug_fix else '["feature"]'
