"""Pull requests of a world as GitHub shows them."""

import re
from dataclasses import dataclass, replace
from hashlib import sha1
from random import Random

from simulator.github.model import Account, Commit, Event, PullRequest, PullState, Repository, Review, ReviewState
from simulator.github.times import instant
from simulator.github.world_rows import People, PullRows
from simulator.happening import MUCH_AI, full_hash
from simulator.instants import SECOND_NS, parse_instant
from simulator.world import Row

CURSOR = Account("cursor", 206_951_365, "Bot", "Cursor Agent", "cursoragent@cursor.com")
_FIRST_REVIEW = 4_300_000_000
_EVENTS = ("ReadyForReviewEvent", "ReviewRequestedEvent", "HeadRefForcePushedEvent")
_DAY_S = 24 * 3600
_LONGEST_DRAFT_S = 20 * 3600

# Shares of the pull requests.
_OF_CURSOR, _BY_ITS_APP = 0.5, 0.6  # of those with much AI were opened by Cursor's agent; of these, by its app
_OTHER_AGENTS = (("codex", 0.02), ("claude", 0.02))  # a person opened them, on a branch of this prefix
_DRAFT, _FORCE_PUSHED, _WITH_TRAILER = 0.1, 0.06, 0.25
_TRAILERS = ("Co-authored-by: Cursor <cursoragent@cursor.com>", "Co-authored-by: Claude <noreply@anthropic.com>")


def second_of(text: str) -> int:
    """Return the whole seconds since 1970 of an instant of cursor-sim."""
    return parse_instant(text) // SECOND_NS


@dataclass(frozen=True, slots=True)
class _Agent:
    """The agent that opened a pull request: its name, and whether its app is the author."""

    name: str
    is_author: bool


class PullMaker:
    """Makes the pull requests of a company as of `end_s`."""

    def __init__(self, people: People, end_s: int, seed: int) -> None:
        self._people = people
        self._end_s = end_s
        self._seed = seed

    def pull(self, repository: Repository, rows: PullRows) -> PullRequest:
        """Return a pull request with its commits, reviews and events, before it is merged."""
        row, random = rows.pull, Random(f"{self._seed}/{rows.pull['id']}/github")
        agent = _agent(rows, random)
        author = CURSOR if agent and agent.is_author else self._people.author_of(row)
        state, ended_s = self._outcome(row)
        created_s = second_of(row["created_at"])
        merger = random.choice(self._people.members)
        branch, number = row["head_branch"], row["number"]
        if agent:
            branch = f"{agent.name}/{branch.rpartition('/')[2]}-{number % 0x10000:04x}"
        merged_at = instant(ended_s) if state == "MERGED" and ended_s is not None else None
        pull = PullRequest(
            repository=repository,
            id=row["id"],
            number=number,
            title=_without_revert(row["title"]),
            body=row.get("body") or "",
            state=state,
            is_draft=False,
            author=author,
            created_at=instant(created_s),
            updated_at="",
            merged_at=merged_at,
            closed_at=instant(ended_s) if ended_s is not None else None,
            merged_by=merger if merged_at else None,
            additions=row["additions"],
            deletions=row["deletions"],
            changed_files=row.get("changed_files") or 1,
            is_cross_repository=branch == row["base_branch"],  # such a branch is that of a fork
            has_head_repository=True,
            head_ref=branch,
            base_ref=row["base_branch"],
            merge_commit=None,
            labels=_labels(row),
            commits=self._commits(rows, repository, agent, random),
            reviews=[],
            events=[],
            requested=[],
        )
        pull.reviews = self._reviews(pull, rows.reviews)
        self._note_events(pull, rows, ended_s, random)
        seen = [pull.created_at, pull.closed_at or "", *(each.committed_at for each in pull.commits)]
        seen += [each.updated_at for each in pull.reviews] + [each.at for each in pull.events]
        pull.updated_at = max(seen)
        return pull

    def _outcome(self, row: Row) -> tuple[PullState, int | None]:
        """Return state and end; cursor-sim reports some merges before they happen, and GitHub does not."""
        at = row.get("merged_at") or row.get("closed_at")
        ended_s = second_of(at) if at else None
        if row["state"] == "open" or ended_s is None or ended_s > self._end_s:
            return "OPEN", None
        return ("MERGED" if row["state"] == "merged" else "CLOSED"), ended_s

    def _commits(self, rows: PullRows, repository: Repository, agent: _Agent | None, random: Random) -> list[Commit]:
        trailer = random.choice(_TRAILERS) if random.random() < _WITH_TRAILER and _ai_share(rows) else ""
        commits: list[Commit] = []
        parent = repository.history[-1].sha
        for row in rows.commits:
            name, email, by = row["userName"], row["userEmail"], self._people.by_email.get(row["userEmail"])
            if agent and agent.is_author:
                trailer = f"Co-authored-by: {name} <{email}>"
                name, email, by = CURSOR.name, CURSOR.email, None
            message = _without_revert(row["message"]) + (f"\n\n{trailer}" if trailer else "")
            at, added, deleted = instant(second_of(row["commitTs"])), row["totalLinesAdded"], row["totalLinesDeleted"]
            sha = full_hash(row["commitHash"])
            commits.append(Commit(sha, at, at, added, deleted, message, name, email, by, (parent,)))
            parent = sha
        return commits

    def _reviews(self, pull: PullRequest, rows: list[Row]) -> list[Review]:
        """Return the reviews submitted by now; one that is pending is seen by its author alone."""
        reviews = []
        for row in sorted(rows, key=lambda row: (second_of(row["submitted_at"]), row["id"])):
            at_s, state = second_of(row["submitted_at"]), row["state"].upper()
            if state == "PENDING" or at_s > self._end_s:
                continue
            author = self._people.by_email.get(row.get("reviewer") or "")
            is_own = author is not None and author is pull.author  # authors may only comment
            known: ReviewState = "COMMENTED" if is_own else "APPROVED" if state == "APPROVED" else "CHANGES_REQUESTED"
            number, count = _FIRST_REVIEW + row["id"], len(row.get("comments") or ())
            reviews.append(Review(number, author, known, instant(at_s), instant(at_s), count, pull.head_sha))
        return reviews

    def _note_events(self, pull: PullRequest, rows: PullRows, ended_s: int | None, random: Random) -> None:
        """Add what happened besides the reviews: being ready, being asked, and a rebase."""
        # Drawn whatever has happened by now, so that a later end of the same world adds to this one.
        begins_as_draft, ready_after_s = random.random() < _DRAFT, int(random.random() * _LONGEST_DRAFT_S)
        is_rebased, rebased_after_s = random.random() < _FORCE_PUSHED, 60 + int(random.random() * _DAY_S)
        asked_s = second_of(rows.pull["created_at"])
        if begins_as_draft:
            others = [second_of(each["submitted_at"]) for each in rows.reviews]
            asked_s = min(asked_s + ready_after_s, *others, ended_s or self._end_s + 1)
            pull.is_draft = asked_s > self._end_s
            if not pull.is_draft:
                self._add(pull, Event(0, "ReadyForReviewEvent", instant(asked_s), pull.author))
        submitted = [each for each in rows.reviews if each["state"].upper() != "PENDING"]
        asked = [self._people.by_email.get(each.get("reviewer") or "") for each in submitted]
        asked += [self._people.by_email[email] for email in rows.pull.get("reviewers") or ()]
        for each in dict.fromkeys(asked) if not pull.is_draft else ():
            if each is not None and each is not pull.author:
                self._add(pull, Event(0, "ReviewRequestedEvent", instant(asked_s), pull.author, each))
                if not any(review.author is each for review in pull.reviews):
                    pull.requested.append(each)
        if is_rebased:
            last_s = max(second_of(each) for each in (pull.created_at, *(each.committed_at for each in pull.commits)))
            if last_s + rebased_after_s <= min(ended_s or self._end_s, self._end_s):
                self._rebase(pull, instant(last_s + rebased_after_s))

    def _rebase(self, pull: PullRequest, at: str) -> None:
        """Force-push the branch: authors' dates stay, hashes are new; Cursor has reported the old ones."""
        before, parent, rebased = pull.commits[-1], pull.commits[0].parents[0], list[Commit]()
        for each in pull.commits:
            sha = sha1(f"{each.sha}/rebased".encode(), usedforsecurity=False).hexdigest()
            rebased.append(replace(each, sha=sha, committed_at=at, parents=(parent,)))
            parent = sha
        pull.commits = rebased
        for review in pull.reviews:
            if (review.submitted_at or "") >= at:
                review.commit_sha = pull.head_sha
        self._add(pull, Event(0, "HeadRefForcePushedEvent", at, pull.author, before=before, after=pull.commits[-1]))

    @staticmethod
    def _add(pull: PullRequest, event: Event) -> None:
        """Add an event with a number that no later event changes."""
        place = event.subject.number if event.subject else 0
        event.number = (pull.id << 30) + (place << 2) + _EVENTS.index(event.typename)
        pull.events.append(event)


def _agent(rows: PullRows, random: Random) -> _Agent | None:
    """Return the agent that opened a pull request; None where a person did."""
    dice, share = random.random(), random.random()
    if rows.pull["head_branch"] == rows.pull["base_branch"]:
        return None
    if _ai_share(rows) >= MUCH_AI:
        return _Agent("cursor", share < _BY_ITS_APP) if dice < _OF_CURSOR else None
    bound = 0.0
    for name, each in _OTHER_AGENTS:
        bound += each
        if dice < bound:
            return _Agent(name, is_author=False)
    return None


def _ai_share(rows: PullRows) -> float:
    added = sum(row["totalLinesAdded"] for row in rows.commits)
    written = sum(row["tabLinesAdded"] + row["composerLinesAdded"] for row in rows.commits)
    return float(written / added) if added else 0.0


def _without_revert(title: str) -> str:
    """Return a title without the form of a revert: on GitHub such a pull request would revert the one of that title."""
    found = re.fullmatch(r'Revert "(.*)"', title)
    return found[1] if found else title


def _labels(row: Row) -> list[str]:
    labels = list(row.get("labels") or ())
    return labels if not row.get("is_bug_fix") or "bug" in labels else ["bug", *labels]
