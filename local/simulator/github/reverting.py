"""Reverts, in each of the forms in which GitHub knows them, and some that only look like one."""

from dataclasses import dataclass

from simulator.github.model import Account, Commit, Company, PullRequest, PullState, Repository
from simulator.github.times import instant, seconds

_FIRST_PULL = 2_900_000_000
_SPAN_S = 3000  # companies have no other pull requests in their last hour


@dataclass(frozen=True, slots=True)
class _Form:
    """How a revert looks: what it says of the reverted pull request, and what becomes of it."""

    title: str = "Undo it"
    body: str = ""
    head: str = "undo-{number}"
    headline: str = "Undo it"
    state: PullState = "MERGED"


_GITHUB = _Form('Revert "{title}"', "Reverts {name}#{number}", "revert-{number}-{head}", 'Revert "{title}"')
_FORMS = (
    _GITHUB,
    _Form(head="revert-{number}-{head}"),
    _Form(title='Revert "{title}"'),
    _Form(body="It broke.\n\nReverts {name}#{number}"),
    _Form(title='Revert "{title} (#{number})"', headline='Revert "{title} (#{number})"'),
    _Form(_GITHUB.title, _GITHUB.body, _GITHUB.head, 'Revert "{title} (#{number})"', "CLOSED"),
    _Form(_GITHUB.title, _GITHUB.body, _GITHUB.head, 'Revert "{title} (#{number})"', "OPEN"),
    _Form(body="Reverts friends/other#{number}"),
)
_BY_TITLE = _FORMS[2]


def revert_some(repository: Repository, company: Company, pulls: list[PullRequest]) -> None:
    """Revert every sixth pull request that was merged, each in another form, and one by a commit alone."""
    merged = [each for each in pulls if each.merge_commit]
    targets = merged[5::6]
    if not targets:
        return
    begin_s = seconds(company.end) - _SPAN_S
    step_s = _SPAN_S // (len(targets) + 2)
    for place, target in enumerate(targets):
        form = _FORMS[(place + repository.id * 5) % len(_FORMS)]
        if form is _BY_TITLE and place < len(_FORMS):  # later on, other pull requests may have the same title
            target.title += f" of {target.number}"
        _open(repository, company.people[place % len(company.people)], form, target, begin_s + place * step_s)
    alone = merged[9::6]
    for place, target in enumerate(alone[:2]):
        message = f'Revert "{target.title} (#{target.number})"\n\nThis reverts commit {target.head_sha}.'
        _push(repository, company.people[0], message, begin_s + len(targets) * step_s + place)


def _open(repository: Repository, author: Account, form: _Form, target: PullRequest, at_s: int) -> None:
    """Open a pull request that reverts another; it ends soon after."""
    number = repository.pulls[-1].number + 1
    words = {
        "title": target.title,
        "number": target.number,
        "head": target.head_ref,
        "name": repository.full_name,
    }

    def told(text: str) -> str:
        return text.format(**words)

    tip = repository.history[0]
    commit = _commit(author, told(form.headline), at_s - 1, (tip.sha,), target.id)
    ended = instant(at_s + 5)
    pull = PullRequest(
        repository=repository,
        id=_FIRST_PULL + repository.id % 10_000_000 * 1000 + number,
        number=number,
        title=told(form.title),
        body=told(form.body),
        state=form.state,
        is_draft=False,
        author=author,
        created_at=instant(at_s),
        updated_at=ended,
        merged_at=ended if form.state == "MERGED" else None,
        closed_at=ended if form.state != "OPEN" else None,
        merged_by=author if form.state == "MERGED" else None,
        additions=commit.additions,
        deletions=commit.deletions,
        changed_files=1,
        is_cross_repository=False,
        has_head_repository=True,
        head_ref=told(form.head),
        base_ref=repository.default_branch,
        merge_commit=None,
        labels=[],
        commits=[commit],
        reviews=[],
        events=[],
        requested=[],
    )
    repository.pulls.append(pull)
    if form.state == "MERGED":
        message = f"Merge pull request #{number} from {repository.owner.login}/{pull.head_ref}"
        pull.merge_commit = _commit(author, message, at_s + 5, (tip.sha, commit.sha), target.id + 1)
        repository.history = [pull.merge_commit, commit, *repository.history]
    repository.pushed_at = repository.history[0].committed_at


def _push(repository: Repository, author: Account, message: str, at_s: int) -> None:
    commit = _commit(author, message, at_s, (repository.history[0].sha,), at_s)
    repository.history = [commit, *repository.history]
    repository.pushed_at = commit.committed_at


def _commit(author: Account, message: str, at_s: int, parents: tuple[str, ...], salt: int) -> Commit:
    when = instant(at_s)
    sha = f"{(int(parents[0], 16) ^ (at_s << 64) ^ (salt << 100) ^ len(parents)) % (1 << 160):040x}"
    return Commit(sha, when, when, 7, 9, message, author.name, author.email, author, parents)
