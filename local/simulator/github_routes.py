"""The routes in GitHub's style: `/repos/**` (raw arrays) and `/analytics/github/*` (envelopes)."""

from array import array
from collections.abc import Mapping
from urllib.parse import unquote

from simulator import gojson
from simulator.answers import BadRequest, Query, SimulatedPage, SimulatedResponse, Source, array_of, message
from simulator.instants import DAY_NS, SECOND_NS, day_number
from simulator.world import Pulls, RowNumbers

_NONE: RowNumbers = array("I")
_DEFAULT_COMMIT_DAYS = 29


def repos(source: Source, query: Query) -> SimulatedResponse:
    """Answer `GET /repos`: those with pull requests, in a new order each time."""
    names = [name for name in source.world.repos if source.world.pulls.by_repo.get(name)]
    source.random.shuffle(names)
    return SimulatedResponse(200, gojson.body([_repo(source, name) for name in names]))


def below_repos(source: Source, path: str, query: Query) -> SimulatedResponse:
    """Answer `GET /repos/{owner}/{name}` and the paths below it; `path` is the part after `/repos/`."""
    parts = [unquote(part) for part in path.rstrip("/").split("/")]
    name = "/".join(parts[:2])
    match parts[2:]:
        case [] if len(parts) == 2:
            if not source.world.pulls.by_repo.get(name):
                return message(404, "repository not found")
            return SimulatedResponse(200, gojson.body(_repo(source, name)))
        case ["pulls"]:
            return _pulls(source, name, query)
        case ["commits"]:
            return _commits(source, name, query)
        case ["pulls", number]:
            row = _pull(source, name, _pull_number(number))
            if row is None:
                return message(404, "pull request not found")
            return SimulatedResponse(200, source.world.pulls.rows.text(row) + b"\n")
        case ["pulls", number, "reviews"]:
            return _reviews_of(source, name, _pull_number(number))
        case ["pulls", number, "commits"]:
            return _commits_of(source, name, _pull_number(number))
    return message(404, "route not found")


def pull_requests(source: Source, query: Query) -> SimulatedResponse:
    """Answer `GET /analytics/github/prs`: in a stable order only by author without status."""
    params = {name: query.text(name) for name in ("status", "author", "start_date", "end_date")}
    window = _created_window(params)
    page = _page(query)
    rows = source.world.pulls.rows
    numbers = source.shown(rows, _chosen_pulls(source.world.pulls, params["author"], params["status"], window))
    is_stable = params["author"] and not params["status"]
    chosen = page.of(numbers) if is_stable else page.of_shuffled(numbers, source.random)
    return _envelope(rows.join(chosen), page, len(numbers), params)


def reviews(source: Source, query: Query) -> SimulatedResponse:
    """Answer `GET /analytics/github/reviews`: in a stable order by pull request or by reviewer."""
    table = source.world.reviews
    try:
        pr_id = query.number("pr_id")
    except ValueError:
        pr_id = 0
    if pr_id is not None and pr_id < 1:
        raise BadRequest("invalid pr_id parameter")
    reviewer = query.text("reviewer")
    page = _page(query)
    numbers: RowNumbers
    if pr_id is not None:
        numbers = table.by_pr.equal(pr_id)
        if reviewer:
            wanted = set(table.by_reviewer.get(reviewer, _NONE))
            numbers = [n for n in numbers if n in wanted]
    elif reviewer:
        numbers = table.by_reviewer.get(reviewer, _NONE)
    else:
        numbers = range(len(table.rows))
    numbers = source.shown(table.rows, numbers)
    stable = pr_id is not None or reviewer
    chosen = page.of(numbers) if stable else page.of_shuffled(numbers, source.random)
    return _envelope(table.rows.join(chosen), page, len(numbers), {"pr_id": pr_id, "reviewer": reviewer})


def _repo(source: Source, name: str) -> dict[str, object]:
    visible = len(source.everything(source.world.pulls.rows)) if source.hidden else None
    return source.world.repo_object(name, visible)


def _pull_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) > 0):
        raise InvalidPullNumber
    return int(text)


class InvalidPullNumber(Exception):
    """The path has no valid pull request number: answered 400 in the style of `/repos/**`."""


def _pull(source: Source, name: str, number: int) -> int | None:
    row = source.world.pull_by_number(name, number)
    return row if row is not None and source.shown(source.world.pulls.rows, [row]) else None


def _pulls(source: Source, name: str, query: Query) -> SimulatedResponse:
    pulls = source.world.pulls
    numbers: RowNumbers = source.shown(pulls.rows, pulls.by_repo.get(name, _NONE))
    state = query.text("state")
    if state and state != "all":
        numbers = [n for n in numbers if pulls.states[n] == state]
    return array_of(pulls.rows.join(_clamped_page(query).of_shuffled(numbers, source.random)))


def _commits(source: Source, name: str, query: Query) -> SimulatedResponse:
    commits = source.world.commits
    since, until = _day_or_none(query.text("since")), _day_or_none(query.text("until"))
    now_ns = source.world.end_ns
    first = now_ns - _DEFAULT_COMMIT_DAYS * DAY_NS if since is None else since * DAY_NS
    beyond = now_ns + DAY_NS if until is None else (until + 1) * DAY_NS
    numbers = [n for n in commits.by_repo.get(name, _NONE) if first <= commits.at_ns[n] < beyond]
    return array_of(commits.rows.join(_clamped_page(query).of(source.shown(commits.rows, numbers))))


def _reviews_of(source: Source, name: str, number: int) -> SimulatedResponse:
    row = _pull(source, name, number)
    if row is None:
        return array_of(b"")
    table = source.world.reviews
    pr_id = gojson.loads(source.world.pulls.rows.text(row))["id"]
    return array_of(table.rows.join(source.shown(table.rows, table.by_pr.equal(pr_id))))


def _commits_of(source: Source, name: str, number: int) -> SimulatedResponse:
    """Answer as the source does: every commit of that branch in that repository, by any author."""
    row = _pull(source, name, number)
    if row is None:
        return message(404, "pull request not found")
    branch = gojson.loads(source.world.pulls.rows.text(row))["head_branch"]
    rows = source.world.commits.rows
    numbers = source.shown(rows, source.world.commits.by_repo.get(name, _NONE))
    return array_of(rows.join([n for n in numbers if gojson.loads(rows.text(n)).get("branchName") == branch]))


def _clamped_page(query: Query) -> SimulatedPage:
    """Return the page of `/repos/**`: invalid values are silently replaced, nothing is echoed."""
    return SimulatedPage(_or_default(query, "page", 1), min(100, _or_default(query, "per_page", 30)))


def _or_default(query: Query, name: str, default: int) -> int:
    try:
        value = query.number(name)
    except ValueError:
        return default
    return value if value is not None and value >= 1 else default


def _page(query: Query) -> SimulatedPage:
    """Return the page of `/analytics/github/*`: invalid values are refused, a large one is cut to 100 and echoed so."""
    sizes = []
    for name, default in (("page", 1), ("page_size", 20)):
        try:
            value = query.number(name)
        except ValueError:
            value = 0
        if value is not None and value < 1:
            raise BadRequest(f"invalid {name} parameter")
        sizes.append(default if value is None else value)
    return SimulatedPage(sizes[0], min(100, sizes[1]))


def _chosen_pulls(pulls: Pulls, author: str, status: str, window: range | None) -> RowNumbers:
    """Return the pull requests of this author, state and window of creation; empty or None is any."""
    if author:
        numbers: RowNumbers = pulls.by_author.get(author, _NONE)
        if window is not None:
            numbers = [n for n in numbers if pulls.created_ns[n] in window]
    elif window is not None:
        numbers = pulls.by_created.between(window.start, window.stop)
    elif status:
        return pulls.by_state.get(status, _NONE)
    else:
        return range(len(pulls.rows))
    return [n for n in numbers if pulls.states[n] == status] if status else numbers


def _created_window(params: dict[str, str]) -> range | None:
    """Return the window on created_at, None when neither end is given; the last second of the end day is lost."""
    days: list[int | None] = []
    for name in ("start_date", "end_date"):
        try:
            days.append(day_number(params[name]) if params[name] else None)
        except ValueError:
            raise BadRequest(f"invalid {name} format (use YYYY-MM-DD)") from None
    first, last = days
    if first is None and last is None:
        return None
    return range(
        0 if first is None else first * DAY_NS,
        1 << 63 if last is None else (last + 1) * DAY_NS - SECOND_NS + 1,
    )


def _day_or_none(text: str) -> int | None:
    """Return the day, None when the text is not one: the source ignores it silently."""
    try:
        return day_number(text)
    except ValueError:
        return None


def _envelope(rows: bytes, page: SimulatedPage, total: int, params: Mapping[str, object]) -> SimulatedResponse:
    paging = gojson.dumps({"page": page.number, "page_size": page.size, "total": total})
    echoed = gojson.dumps({name: value for name, value in params.items() if value})
    return SimulatedResponse(
        200, b'{"data":[%b],"pagination":%b,"params":%b}\n' % (rows, paging.encode(), echoed.encode())
    )
