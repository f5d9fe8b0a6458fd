"""What happens to pull requests in the life of a repository: by turns, so that each is there often enough.

The stories are of people and agents, drafts, reviews, pushes by force, and reverts. They are part of the past: they are
told once, before a company is read.
"""

from collections.abc import Callable

from simulator.github.model import Account, Company, Event, EventKind, PullRequest, Repository, Review, ReviewState
from simulator.github.pushing import amend, rebase, rebase_merge, start_over
from simulator.github.reverting import revert_some
from simulator.github.times import instant, seconds

SPARED = 8
"""So many pull requests at the beginning have no story: they belong to other knobs."""

_FIRST_REVIEW = 4_500_000_000
_FIRST_EVENT = 9_600_000_000
_REVIEWER = Account("coderabbitai", 136_622_811, "Bot")
_DEPENDABOT = Account("dependabot", 49_699_333, "Bot")
_AGENTS = (
    Account("copilot-swe-agent", 198_982_749, "Bot"),
    Account("devin-ai-integration", 158_243_242, "Bot"),
    Account("openhands-agent", 9_700, "User"),
)
_PREFIXES = ("cursor/", "copilot/", "claude/", "codex/", "devin/1740000000-")
_LABELS = ("Bug", "Type: Bug", "kind/bug", "Bug Fix", "bugfix", "debug", "not a bug", "fix")
_FIXES = (("fix/", "Change {}"), ("hotfix/", "Add {}"), ("work/", "fix: {}"), ("work/", "hotfix({})"))


def tell(repository: Repository, company: Company) -> None:
    """Give each pull request after the first ones its story, then revert some. A second time changes nothing."""
    if any(each.head_ref.startswith("revert-") for each in repository.pulls):
        return
    for place, pull in enumerate(repository.pulls[SPARED:]):
        _STORIES[place % len(_STORIES)](_Telling(pull, repository, company, place // len(_STORIES)))
    revert_some(repository, company, repository.pulls[SPARED:])


class _Telling:
    """One pull request, and how often its story was told before."""

    def __init__(self, pull: PullRequest, repository: Repository, company: Company, turn: int) -> None:
        self.pull, self.repository, self.company, self.turn = pull, repository, company, turn

    @property
    def someone(self) -> Account:
        """Return a person who is not the author."""
        others = [each for each in self.company.people if each is not self.pull.author]
        return others[self.turn % len(others)]

    @property
    def number(self) -> int:
        """Return a number for a new review or event of the pull request, below those of other pull requests."""
        return self.pull.id % 100_000_000 * 8 + len(self.pull.reviews) + len(self.pull.events)

    def after(self, part: float) -> str:
        """Return the instant at this part of its life: 0 when it was opened, 1 when it ended, more after that."""
        begun, ended = seconds(self.pull.created_at), seconds(self.pull.merged_at or self.pull.updated_at)
        return instant(min(begun + int((ended - begun) * part), seconds(self.company.end)))

    def review(self, by: Account | None, state: ReviewState, at: str, comments: int = 0) -> None:
        """Add a review."""
        pull = self.pull
        number = _FIRST_REVIEW + self.number % 200_000_000
        pull.reviews.append(Review(number, by, state, at, at, comments, pull.head_sha))
        pull.updated_at = max(pull.updated_at, at)

    def event(self, typename: EventKind, at: str) -> None:
        """Add an event by the author."""
        number = _FIRST_EVENT + self.number % 200_000_000
        self.pull.events.append(Event(number, typename, at, self.pull.author))
        self.pull.events.sort(key=lambda each: each.at)


def _is_rebased(told: _Telling) -> None:
    rebase(told.pull, told.repository)


def _is_amended(told: _Telling) -> None:
    amend(told.pull, told.repository)


def _is_rebased_and_amended(told: _Telling) -> None:
    rebase(told.pull, told.repository)
    amend(told.pull, told.repository)


def _starts_over(told: _Telling) -> None:
    start_over(told.pull, told.repository)


def _is_rebased_into_the_base(told: _Telling) -> None:
    rebase_merge(told.pull, told.repository)


def _has_a_bot_first(told: _Telling) -> None:
    told.review(_REVIEWER, "COMMENTED", told.after(0.01), 5)


def _is_reviewed_after_the_merge(told: _Telling) -> None:
    told.review(told.someone, "APPROVED", told.after(1.2), 1)


def _is_reviewed_by_a_deleted_account(told: _Telling) -> None:
    told.review(None, "CHANGES_REQUESTED", told.after(0.3), 2)


def _author_answers(told: _Telling) -> None:
    told.review(told.pull.author, "COMMENTED", told.after(0.02), 2)


def _is_a_draft_first(told: _Telling) -> None:
    told.event("ConvertToDraftEvent", told.after(0.02))
    told.event("ReadyForReviewEvent", told.after(0.05 if told.turn % 2 else 0.6))


def _is_a_draft_when_reviewed(told: _Telling) -> None:
    told.pull.events = [each for each in told.pull.events if each.typename != "ReadyForReviewEvent"]
    told.review(told.someone, "COMMENTED", told.after(0.01), 1)
    told.event("ReadyForReviewEvent", told.after(0.9))


def _has_branch_of_agent(told: _Telling) -> None:
    told.pull.head_ref = _PREFIXES[told.turn % len(_PREFIXES)] + told.pull.head_ref


def _is_opened_by_agent(told: _Telling) -> None:
    told.pull.author = _AGENTS[told.turn % len(_AGENTS)]


def _is_committed_by_agent(told: _Telling) -> None:
    """Have an agent as the author of all commits, or in every other turn of the first one only."""
    for commit in told.pull.commits[: 1 if told.turn % 2 else None]:
        commit.author_name, commit.author_email, commit.author = "Claude", "noreply@anthropic.com", None


def _has_help_of_agent(told: _Telling) -> None:
    for commit in told.pull.commits:
        commit.message += "\n\nCo-authored-by: Cursor <cursoragent@cursor.com>"


def _has_label(told: _Telling) -> None:
    told.pull.labels = [_LABELS[told.turn % len(_LABELS)], "feature"]


def _is_fix_by_name(told: _Telling) -> None:
    prefix, title = _FIXES[told.turn % len(_FIXES)]
    told.pull.head_ref = prefix + told.pull.head_ref
    told.pull.title = title.format(told.pull.title)


def _is_opened_before_its_commits(told: _Telling) -> None:
    _author_at(told, told.after(0.4))


def _has_commits_from_the_future(told: _Telling) -> None:
    """Have commits of a machine whose clock is a day ahead."""
    _author_at(told, instant(seconds(told.after(1)) + 24 * 3600))


def _author_at(told: _Telling, at: str) -> None:
    for step, commit in enumerate(told.pull.commits):
        commit.authored_at = instant(seconds(at) + step)


def _is_only_reviewed_after_the_merge(told: _Telling) -> None:
    told.pull.reviews = []
    told.review(told.someone, "COMMENTED", told.after(1.1), 3)


def _is_of_a_bot(told: _Telling) -> None:
    told.pull.author = _DEPENDABOT


def _is_of_a_deleted_account(told: _Telling) -> None:
    told.pull.author = None


def _has_reviews_that_do_not_approve(told: _Telling) -> None:
    told.review(told.someone, "DISMISSED", told.after(0.4), 1)
    pending = Review(_FIRST_REVIEW + told.number % 200_000_000, told.someone, "PENDING", None, told.after(0.5), 4, None)
    told.pull.reviews.append(pending)


def _has_other_addresses(told: _Telling) -> None:
    """Have commits with GitHub's own address of the author, or in every other turn with one from home."""
    for commit in told.pull.commits:
        if commit.author:
            own = f"{commit.author.number}+{commit.author.login}@users.noreply.github.com"
            commit.author_email = f"{commit.author.login}@home.test" if told.turn % 2 else own


_STORIES: tuple[Callable[[_Telling], None], ...] = (
    _is_rebased,
    _is_amended,
    _is_rebased_and_amended,
    _starts_over,
    _is_rebased_into_the_base,
    _has_a_bot_first,
    _is_reviewed_after_the_merge,
    _is_reviewed_by_a_deleted_account,
    _author_answers,
    _is_a_draft_first,
    _is_a_draft_when_reviewed,
    _has_branch_of_agent,
    _is_opened_by_agent,
    _is_committed_by_agent,
    _has_help_of_agent,
    _has_label,
    _is_fix_by_name,
    _is_opened_before_its_commits,
    _has_commits_from_the_future,
    _is_only_reviewed_after_the_merge,
    _is_of_a_bot,
    _is_of_a_deleted_account,
    _has_reviews_that_do_not_approve,
    _has_other_addresses,
)
