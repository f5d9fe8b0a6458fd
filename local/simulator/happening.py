"""The facts of one day: a pure function of seed, organisation, velocity and day, for any window and end.

The facts do not depend on the present time: a merge is decided on the day the work began, and `showing` decides how
much of it is visible at a given instant.
"""

from dataclasses import dataclass, field
from hashlib import sha1
from random import Random

from simulator.instants import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from simulator.people import Organisation, Person

PULLS_PER_DEVELOPER_DAY = {"low": 0.5, "medium": 1.55, "high": 6.0}
_WEEKDAY_FACTOR = (1.3, 1.3, 1.3, 1.3, 1.2, 0.3, 0.3)  # Monday first; the mean is 1
NUMBERS_PER_DEVELOPER_DAY = 32  # room for each day's pull requests; the most is below 6.0 * 1.4 * 1.3 * 2 + 1
FIRST_NUMBERED_DAY = 16_436  # 2015-01-01: numbers and ids depend on the day alone
MUCH_AI = 0.6  # the AI share from which a pull request has the effect of Organisation.ai_effect
NEVER_NS = 1 << 62
ID_OFFSET = 5_000_000_000  # an id is not a number: code that mixes them up finds nothing
_REVIEWS_PER_PULL = 16
_REVERT_WITHIN_NS = 12 * DAY_NS  # after the creation, so that a look-back of two weeks includes each flag change

# Quirks, each with its share of the pull requests. The others look as the original's always do.
QUIRKS = {
    "commits_omitted": 0.01,  # commit_ids absent, commit_count still there
    "commits_unknown": 0.01,  # commit_ids name commits that do not exist
    "ratio_omitted": 0.03,  # ai_ratio absent, tab and composer lines there
    "ai_omitted": 0.02,  # ai_ratio, tab_lines and composer_lines absent: only the commits have them
    "band_border_low": 0.01,  # ai_ratio exactly 0.3
    "band_border_high": 0.01,  # ai_ratio exactly 0.6
    "zero_additions": 0.02,
    "first_times_given": 0.02,  # first_commit_at, first_review_at and last_commit_at present
    "author_unknown": 0.01,  # author_id empty
    "reviewers_listed": 0.02,  # reviewers named, no review rows
    "main_to_main": 0.05,
    "labelled": 0.04,
    "self_reviewed": 0.03,
    "unreviewed": 0.06,
    "odd_states": 0.03,  # review states in capitals or mixed case
    "flags_omitted": 0.01,  # was_reverted and is_bug_fix absent
    "last_second": 0.005,  # created in the gap of the source's date filter
    "files_omitted": 0.01,  # changed_files absent
}
_QUIRK_NAMES = (*QUIRKS, "")
_QUIRK_BOUNDS = [sum(list(QUIRKS.values())[: n + 1]) for n in range(len(QUIRKS))] + [1.0]

_TITLES = (
    ("feature", "feat: add {{ feature_name }}"),
    ("feature", "feat({{ component }}): implement {{ feature_name }}"),
    ("feature", "Add <retry> & back-off to the client"),
    ("refactor", "refactor: improve {{ component }}"),
    ("refactor", "refactor({{ component }}): restructure code"),
    ("chore", "chore: maintenance tasks"),
    ("chore", "chore: update dependencies"),
    ("chore", "fixture files for the billing tests"),
)
_FIX_TITLES = (
    ("bugfix", "fix: resolve {{ issue }}"),
    ("fix", "fix({{ component }}): fix {{ issue }}"),
    ("hotfix", "hotfix! stop the bleeding"),
    ("feature", "Fix(api): répare l'encodage"),
    ("bugfix", "Handle the empty list"),
)


@dataclass(slots=True)
class CommitFact:
    """One commit."""

    hash: str
    at_ns: int
    added: int
    deleted: int
    tab: int
    composer: int
    is_primary: bool


@dataclass(slots=True)
class ReviewFact:
    """One review; an early one is shown although it lies in the future."""

    reviewer: str
    state: str
    at_ns: int
    comments: int
    is_early: bool


@dataclass(slots=True)
class PullFact:
    """One pull request with everything that will ever happen to it."""

    number: int
    author: Person
    repo: str
    branch: str
    title: str
    created_ns: int
    outcome: str
    outcome_ns: int
    is_early: bool
    reverted_ns: int | None
    is_bug_fix: bool
    changed_files: int
    quirk: str
    commits: list[CommitFact]
    reviews: list[ReviewFact] = field(default_factory=list)

    @property
    def id(self) -> int:
        """The id, which is not the number."""
        return ID_OFFSET + self.number

    def review_id(self, position: int) -> int:
        """Return the id of this pull request's review at that position."""
        return self.number * _REVIEWS_PER_PULL + position

    @property
    def appears_ns(self) -> int:
        """The instant from which on the source shows it: its creation and all its commits have happened."""
        return max(self.created_ns, self.commits[-1].at_ns)


def pulls_of_day(organisation: Organisation, seed: int, velocity: str, day: int) -> list[PullFact]:
    """Return the pull requests begun on that day (days since 1970), in no particular order of time."""
    people = organisation.developers
    random = Random(f"{seed}/{len(people)}/{velocity}/{day}")
    rate = PULLS_PER_DEVELOPER_DAY[velocity] * _WEEKDAY_FACTOR[(day + 3) % 7] * 2
    authors = []
    for person in people:
        authors += [person] * int(rate * person.activity * random.random() + random.random())
    if organisation.bot:
        authors += [organisation.bot] * int(len(authors) * 0.03 + random.random())
    random.shuffle(authors)
    first = (day - FIRST_NUMBERED_DAY) * NUMBERS_PER_DEVELOPER_DAY * len(people) + 1
    return [_pull(organisation, author, first + n, day, random) for n, author in enumerate(authors)]


def _pull(organisation: Organisation, author: Person, number: int, day: int, random: Random) -> PullFact:
    dice = random.random
    quirk = "" if author.is_bot else _quirk(dice())
    is_bug_fix = not author.is_bot and dice() < 0.22
    title, branch = _subject(author, quirk, is_bug_fix, random)
    commits, created_ns = _work(author, quirk, day * DAY_NS, random)
    outcome, outcome_ns = _outcome(created_ns, random)
    if organisation.ai_effect and _ai_share(commits) >= MUCH_AI:
        created_ns, outcome_ns = _stretch(1 + organisation.ai_effect, commits, created_ns, outcome_ns)
    pull = PullFact(
        number=number,
        author=author,
        repo=author.repos[int(dice() * len(author.repos))],
        branch=branch,
        title=title,
        created_ns=created_ns,
        outcome=outcome,
        outcome_ns=outcome_ns,
        is_early=dice() < 0.4,
        reverted_ns=_reverted(created_ns, outcome_ns, random) if outcome == "merged" else None,
        is_bug_fix=is_bug_fix,
        changed_files=int(dice() ** 2 * 12) + (dice() > 0.05),
        quirk=quirk,
        commits=commits,
    )
    if quirk not in ("unreviewed", "reviewers_listed"):
        pull.reviews = _reviews(organisation, pull, random)
    return pull


def _subject(author: Person, quirk: str, is_bug_fix: bool, random: Random) -> tuple[str, str]:
    """Return title and head branch."""
    task = int(random.random() * 1000)
    if author.is_bot:
        return "chore(deps): bump requests from 2.32.3 to 2.32.4", f"chore/task-{task}"
    titles = _FIX_TITLES if is_bug_fix else _TITLES
    kind, title = titles[int(random.random() * len(titles))]
    if random.random() < 0.01:
        title = f'Revert "{title}"'
    return title, "main" if quirk == "main_to_main" else f"{kind}/task-{task}"


def _work(author: Person, quirk: str, midnight_ns: int, random: Random) -> tuple[list[CommitFact], int]:
    """Return the commits, and the instant of creation, from that midnight on."""
    dice = random.random
    if quirk == "last_second":
        created_ns = midnight_ns + DAY_NS - SECOND_NS // 2
        return _commits(author, quirk, created_ns, random), created_ns
    commits = _commits(author, quirk, midnight_ns + HOUR_NS + int(dice() * 23 * HOUR_NS), random)
    if dice() < 0.55:  # as in the original: created before its first commit
        return commits, commits[0].at_ns - int(dice() * 60) * MINUTE_NS
    return commits, commits[-1].at_ns + int((5 + dice() ** 3 * 2880) * MINUTE_NS)


def _reverted(created_ns: int, merged_ns: int, random: Random) -> int | None:
    """Return when a merge is reverted, None if it is not; 6 % are."""
    if random.random() >= 0.06:
        return None
    return merged_ns + int(random.random() * (created_ns + _REVERT_WITHIN_NS - merged_ns))


def _quirk(dice: float) -> str:
    for bound, name in zip(_QUIRK_BOUNDS, _QUIRK_NAMES, strict=True):
        if dice < bound:
            return name
    return ""


def _commits(author: Person, quirk: str, start_ns: int, random: Random) -> list[CommitFact]:
    dice = random.random
    if quirk.startswith("band_border"):
        added = 10 * (1 + int(dice() * 60))
        tab, composer = (added // 5, added // 10) if quirk == "band_border_low" else (added // 2, added // 10)
        return [CommitFact(_hash(random), start_ns, added, int(added * 0.2), tab, composer, False)]
    many = 1 if dice() < 0.93 else 2 + int(dice() * 3)
    commits = []
    at_ns = start_ns
    for _ in range(many):
        added = 0 if quirk == "zero_additions" else 1 + int(dice() ** 2 * 900)
        tab = int(added * author.ai_share * (0.4 + 0.4 * dice()))
        composer = int((added - tab) * author.ai_share * 0.6 * dice())
        commits.append(CommitFact(_hash(random), at_ns, added, int(added * 0.3 * dice()), tab, composer, dice() < 0.3))
        at_ns += MINUTE_NS + int(dice() * 2 * HOUR_NS)
    return commits


def _hash(random: Random) -> str:
    return f"{random.getrandbits(48):012x}"


def full_hash(name: str) -> str:
    """Return the 40 characters of git's hash of a commit, of which cursor-sim shows the first 12."""
    return name + sha1(name.encode(), usedforsecurity=False).hexdigest()[len(name) :]


def _outcome(created_ns: int, random: Random) -> tuple[str, int]:
    """Return an outcome: 5 % stay open, 10 % are closed, 85 % merged; half of those after whole days, as originally."""
    dice = random.random()
    if dice < 0.05:
        return "open", NEVER_NS
    if dice < 0.15:
        return "closed", created_ns + int((1 + random.random() * 13) * DAY_NS)
    if dice < 0.55:
        return "merged", created_ns + (1 + int(random.random() * 7)) * DAY_NS
    return "merged", created_ns + HOUR_NS + int(random.random() ** 3 * 9 * DAY_NS)


def _ai_share(commits: list[CommitFact]) -> float:
    """Return the share of AI in the added lines, as the source computes it."""
    added = sum(commit.added for commit in commits)
    return sum(commit.tab + commit.composer for commit in commits) / added if added else 0.0


def _stretch(factor: float, commits: list[CommitFact], created_ns: int, outcome_ns: int) -> tuple[int, int]:
    """Multiply the time since the first commit of all that follows it; return the instants of creation and outcome."""
    first_ns = commits[0].at_ns

    def stretched(ns: int) -> int:
        return first_ns + round((ns - first_ns) * factor) if ns > first_ns else ns

    for commit in commits:
        commit.at_ns = stretched(commit.at_ns)
    return stretched(created_ns), outcome_ns if outcome_ns == NEVER_NS else stretched(outcome_ns)


def _reviews(organisation: Organisation, pull: PullFact, random: Random) -> list[ReviewFact]:
    """Return reviews by one to three reviewers, each until it approves, gives up or leaves it pending."""
    dice = random.random
    until_ns = min(pull.outcome_ns, pull.created_ns + 7 * DAY_NS)
    reviews = []
    for reviewer in _reviewers(organisation, pull, random):
        state = _state(dice(), pull.quirk, dice())
        at_ns = pull.created_ns + int(dice() * (until_ns - pull.created_ns))
        reviews.append(ReviewFact(reviewer, state, at_ns, _comments(state, dice()), dice() < 0.4))
        while state.lower() == "changes_requested" and dice() < 0.6 and len(reviews) < _REVIEWS_PER_PULL - 3:
            state = "approved" if dice() < 0.7 else "changes_requested"
            at_ns += int(dice() * (until_ns - at_ns))
            reviews.append(ReviewFact(reviewer, state, at_ns, _comments(state, dice()), dice() < 0.4))
    return reviews


def _reviewers(organisation: Organisation, pull: PullFact, random: Random) -> list[str]:
    people = organisation.developers
    chosen: list[str] = []
    share = random.random()
    for _ in range(1 if share < 0.2 else 2 if share < 0.65 else 3):
        email = people[int(random.random() * len(people))].email
        if organisation.outsider and random.random() < 0.01:
            email = organisation.outsider
        if email not in chosen and email != pull.author.email:
            chosen.append(email)
    if not chosen:
        chosen = [next(person.email for person in people if person.email != pull.author.email)]
    return [*chosen, pull.author.email] if pull.quirk == "self_reviewed" else chosen


def _state(dice: float, quirk: str, odd: float) -> str:
    state = "approved" if dice < 0.7 else "changes_requested" if dice < 0.9 else "pending"
    if quirk == "odd_states":
        return state.upper() if odd < 0.5 else state.capitalize()
    return state


def _comments(state: str, dice: float) -> int:
    return 0 if state.lower() == "approved" else int(dice * 6)
