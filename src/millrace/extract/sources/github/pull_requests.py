"""The reading of one repository's pull requests, and the proof that it is every one.

*full*: all of them, by creation, so that a change meanwhile moves none. It is complete when the different numbers are
as many as the source reports. Else the numbers alone are listed, and what is missing is read by its id.

*changes*: by the last change, back to ten minutes before the newest change that the last reading saw, and at least
fourteen days: GitHub does not promise that a dismissed or edited review counts as a change. What was known and what is
new have to be as many as the source reports; else the repository is read in full at once. So is one without a mark.

*recent*: by the last change, back to the first days that a run wants. Its rows are provisional.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from millrace import log
from millrace.extract.reading import Outcome, Rows
from millrace.extract.sources.github.fields import BadAnswer, idle_pages
from millrace.extract.sources.github.listing import Order, PullRequestListing
from millrace.extract.sources.github.long_lists import PullRequest
from millrace.extract.sources.github.queries import MOST_IN_A_REQUEST
from millrace.extract.sources.github.rows import Place, merged, misfit
from millrace.extract.sources.github.tasks import ReadingOfOne, State, named_in_parent, note_page, require_same
from millrace.extract.sources.github.windows import Found

OBJECT = "pull_requests"
_OVERLAP = timedelta(minutes=10)
_REREAD = timedelta(days=14)
_MOST_TRIES = 3  # to list the numbers
_SHOWN = 5  # pull requests in a reason
_LONGEST = 300  # characters of what is said of one


@dataclass(frozen=True, slots=True)
class Mark:
    """What the next run has to know of a repository that was read in full.

    Its last change that was certainly read, the number of its pull requests, the greatest of their numbers, those with
    lists that are not complete, and the etag of the newest change.
    """

    updated_at: str | None
    count: int
    greatest: int
    short: Mapping[str, str]
    etag: str | None = None

    @property
    def changed_before(self) -> datetime | None:
        """The time before which every change was certainly read."""
        return None if self.updated_at is None else datetime.fromisoformat(self.updated_at) - _OVERLAP

    def require(self) -> None:
        """Raise TypeError, ValueError or OverflowError when it is damaged."""
        at, is_text = self.changed_before, isinstance(self.etag, str | None)
        are_counts = all(type(count) is int and count >= 0 for count in (self.count, self.greatest))
        if not (are_counts and is_text and isinstance(self.short, dict)) or (at is not None and at.tzinfo is None):
            raise ValueError(self)


@dataclass
class _State(State):
    """Where a reading is. `stage` is pages, numbers, chosen or over."""

    sets = ("seen", "listed")

    until: str | None = None
    stage: str = "pages"
    has_dropped: bool = False
    updated_at: str | None = None
    etag: str | None = None
    is_whole: bool = False  # the pass went to the end of the list
    totals: dict[str, int] = field(default_factory=dict)
    short: dict[str, str] = field(default_factory=dict)
    tries: int = 0
    missing: dict[str, str] = field(default_factory=dict)
    listed: set[int] = field(default_factory=set)


class PullRequestReading(ReadingOfOne[PullRequestListing, Mark, _State]):
    """One reading of the pull requests of one repository."""

    what = OBJECT
    mark_type = Mark
    state_type = _State

    def outcome(self) -> Outcome:
        """Return what was found; there is a mark only when every pull request is here."""
        state, found = self._state, self._result()
        is_short = found.state == "unknown" and bool(self._short()) and self._is_every_one() and not state.problems
        is_complete = found.is_settled or is_short
        mark = Mark(state.updated_at, found.rows or 0, self._greatest(), self._short(), state.etag)
        # What could not be read is in the window's row; here are the rows that the load has to find.
        read = len(state.seen) - len(state.problems)
        count = max(self._known(), len(state.seen)) - len(state.problems)
        return Outcome(
            plan=f"{self._listing.plan} {state.scope}",
            source_total=count,
            known=count - read,
            repeated=state.rows - read,
            totals={"github_pull_requests": count} | state.totals,
            mark=asdict(mark) if is_complete else None,
        )

    @property
    def _largest(self) -> int:
        return self._listing.largest

    def _begun(self) -> _State:
        plan, now = self._request.plan, self._request.now
        name = named_in_parent(self._request)
        scope, until = plan.scope, None
        if scope == "changes" and (self._mark is None or (self._mark.count and self._mark.updated_at is None)):
            scope = "full"
        if scope == "recent":
            until = now - timedelta(days=plan.first_days)
        elif scope == "changes":
            until = min(now - _REREAD, (self._mark and self._mark.changed_before) or now)
        return _State(scope, name, name, until=None if until is None else until.isoformat())

    def _is_quiet(self) -> bool:
        """Return whether nothing has changed since the last reading, and what changed before it is settled."""
        state, mark = self._state, self._mark
        if state.is_begun or state.scope != "changes" or mark is None or mark.updated_at is None or mark.short:
            return False
        if mark.etag is None or datetime.fromisoformat(mark.updated_at) > self._request.now - _REREAD:
            return False
        if not self._listing.is_unchanged(state.name, mark.etag):
            return False
        state.total, state.updated_at, state.etag = mark.count, mark.updated_at, mark.etag
        state.is_begun, state.stage = True, "over"
        return True

    def _read(self) -> Iterator[Rows]:
        if self._is_quiet():
            return
        while self._state.stage in ("pages", "numbers", "chosen"):
            match self._state.stage:
                case "pages":
                    yield self._page()
                case "numbers":
                    yield self._numbers()
                case "chosen":
                    yield self._chosen()

    def _page(self) -> Rows:
        state = self._state
        order: Order = "created" if state.scope == "full" else "changed"
        page = self._listing.page(state.name, order, state.after, self._size)
        require_same(page.repo_id, self._repo_id, state.name)
        state.name = page.name
        if not state.is_begun:
            state.updated_at, state.etag = None if page.newest is None else page.newest.isoformat(), page.etag
        state.has_dropped |= page.total < state.total
        state.total, state.after, state.is_begun = page.total, page.after, True
        state.is_whole = page.after is None
        before = len(state.seen)
        batch = self._rows_of(page.pulls)
        note_page(self._request, state.name, len(state.seen), state.total if state.scope == "full" else None)
        if state.is_whole or (state.until is not None and _reaches(page.pulls, datetime.fromisoformat(state.until))):
            self._end_pass()
        else:
            state.idle = idle_pages(state.idle, len(state.seen) > before, state.name)
        return batch

    def _end_pass(self) -> None:
        """Judge the pass: it is over, or the numbers are listed, or a full reading begins."""
        state = self._state
        if state.scope == "recent":
            state.stage = "over"
        elif state.scope == "full":
            is_every_one = len(state.seen) == state.total and not state.has_dropped
            state.stage = "over" if is_every_one else "numbers"
        elif self._known() == state.total and not state.has_dropped:
            state.stage = "over"
        else:
            log.info("the counts do not add up, reading in full", repository=state.name)
            self._state = _State("full", state.name, state.first_name, size=state.size, rows=state.rows)

    def _numbers(self) -> Rows:
        """List one page of numbers; after the last one decide what is missing."""
        state = self._state
        page = self._listing.numbers(state.name, state.after)
        require_same(page.repo_id, self._repo_id, state.name)
        state.total, state.after = page.total, page.after
        is_new = not page.ids.keys() <= state.listed
        state.listed |= page.ids.keys()
        state.missing |= {str(number): each for number, each in page.ids.items() if number not in state.seen}
        if page.after is None:
            state.tries += 1
            if len(state.listed) != state.total and state.tries < _MOST_TRIES:
                state.listed, state.missing = set(), {}
            else:
                state.stage = "chosen" if state.missing else "over"
        else:
            state.idle = idle_pages(state.idle, is_new, state.name)
        return {}

    def _chosen(self) -> Rows:
        """Read what is missing by its id, some at a time."""
        state = self._state
        numbers = sorted(state.missing, key=int)[:MOST_IN_A_REQUEST]
        pulls = self._listing.chosen(state.name, [state.missing[number] for number in numbers])
        state.missing = {number: each for number, each in state.missing.items() if number not in numbers}
        state.stage = "chosen" if state.missing else "over"
        return self._rows_of(pulls)

    def _rows_of(self, pulls: list[PullRequest]) -> Rows:
        state = self._state
        place = Place(self._account, self._repo_id, state.name, self._texts)
        good = []
        for pull, rows in _rows_of(pulls, place):
            number = str(pull.number)
            is_new = pull.number not in state.seen or number in state.problems
            state.seen.add(pull.number)
            state.short.pop(number, None)
            if isinstance(rows, str):
                (state.problems if is_new else state.short)[number] = f"it cannot be read: {rows}"
                continue
            state.problems.pop(number, None)
            if pull.short is not None:
                state.short[number] = pull.short
            state.rows += 1
            good.append(rows)
            for table, name in (("github_reviews", "reviews"), ("github_pull_request_events", "timelineItems")):
                if is_new and name in pull.totals():
                    state.totals[table] = state.totals.get(table, 0) + pull.count(name)
        return merged(good)

    def _known(self) -> int:
        """Return how many different pull requests this reading and those before it read."""
        seen = self._state.seen
        if self._mark is None or self._state.scope != "changes":
            return len(seen & self._state.listed) if self._state.tries else len(seen)
        return self._mark.count + sum(1 for number in seen if number > self._mark.greatest)

    def _greatest(self) -> int:
        before = self._mark.greatest if self._mark is not None and self._state.scope == "changes" else 0
        return max(self._state.seen, default=before)

    def _short(self) -> dict[str, str]:
        """Return the pull requests with lists that are not complete, also those of earlier readings."""
        before = self._mark.short if self._mark is not None and self._state.scope == "changes" else {}
        read = {str(number) for number in self._state.seen} if before else set()
        return {number: text for number, text in before.items() if number not in read} | self._state.short

    def _is_every_one(self) -> bool:
        state = self._state
        is_to_the_end = state.scope == "changes" or state.is_whole
        is_settled = not state.has_dropped or state.tries > 0
        is_read = state.refused is None and state.problem is None
        return is_read and is_to_the_end and is_settled and self._known() == state.total

    def _counts(self) -> tuple[int, int]:
        return self._known(), self._state.total

    def _judged(self) -> Found:
        state, known = self._state, self._known()
        short = state.problems | self._short()
        if self._is_every_one() and not short:
            return Found.of_counts(known, state.total, self._remarks())
        if self._is_every_one() or (state.problems and state.scope != "recent"):
            shown = ", ".join(f"#{number} ({text[:_LONGEST]})" for number, text in list(short.items())[:_SHOWN])
            more = f" and {len(short) - _SHOWN} more" if len(short) > _SHOWN else ""
            which = "not all" if state.problems else "all are here, but some in part"
            return Found("unknown", known - len(state.problems), state.total, f"{which}: {shown}{more}")
        if state.scope == "recent":
            days = self._request.plan.first_days
            reason = f"the pull requests that changed in the last {days} days are here; the full reading follows"
            return Found("provisional", known, state.total, reason)
        reason = f"GitHub reports {state.total} pull requests, and {known} could be read; the next run reads them again"
        return Found("unknown", known, state.total, reason)

    def _remarks(self) -> str | None:
        state = self._state
        gone = len(state.seen - state.listed) if state.tries else 0
        remarks = [
            *([self._listing.remark] if self._listing.remark and state.total else []),
            *([f"known here as {state.first_name} before"] if state.name != state.first_name else []),
            *([f"{gone} more were read and are no longer at the source"] if gone else []),
        ]
        return "; ".join(remarks) or None


def _reaches(pulls: list[PullRequest], until: datetime) -> bool:
    """Return whether a page goes back to a time; one without a pull request that can be read does not say so."""
    for pull in pulls:
        with contextlib.suppress(BadAnswer):
            if pull.node.instant("updatedAt") <= until:
                return True
    return False


def _rows_of(pulls: list[PullRequest], place: Place) -> Iterator[tuple[PullRequest, Rows | str]]:
    """Yield the rows of each pull request, or why it cannot be stored."""
    made: list[tuple[PullRequest, Rows | str]] = []
    for pull in pulls:
        try:
            made.append((pull, pull.rows(place)))
        except BadAnswer as error:
            made.append((pull, str(error)))
    fit = misfit(merged(rows for _, rows in made if not isinstance(rows, str))) is None
    for pull, rows in made:
        yield pull, rows if fit or isinstance(rows, str) else misfit(rows) or rows
