"""Cursor's own routes: members, AI code tracking (JSON and CSV), statistics."""

import csv
import io
import re
import time
from array import array
from collections import Counter

from simulator import gojson
from simulator.answers import BadRequest, Query, SimulatedPage, SimulatedResponse, Source
from simulator.instants import DAY_NS, SECOND_NS, day_number, format_instant, offset_minutes, parse_instant
from simulator.world import RowNumbers

CSV_COLUMNS = (
    *("commitHash", "userId", "userEmail", "userName", "repoName", "branchName", "isPrimaryBranch"),
    *("totalLinesAdded", "totalLinesDeleted", "tabLinesAdded", "tabLinesDeleted"),
    *("composerLinesAdded", "composerLinesDeleted", "nonAiLinesAdded", "nonAiLinesDeleted"),
    *("message", "commitTs", "createdAt"),
)
_DEFAULT_DAYS = 30
_DATE_HELP = "must be YYYY-MM-DD, ISO 8601, or relative format (7d, 30d, now, today)"


def members(source: Source, query: Query) -> SimulatedResponse:
    """Answer `GET /teams/members`."""
    return SimulatedResponse(200, gojson.body({"teamMembers": source.world.members}))


def commits(source: Source, query: Query) -> SimulatedResponse:
    """Answer `GET /analytics/ai-code/commits`."""
    numbers = _chosen(source, query)
    page = SimulatedPage(_positive(query, "page", 1), _positive(query, "pageSize", 100, most=1000))
    rows = source.world.commits.rows.join(page.of(numbers))
    tail = b'],"totalCount":%d,"page":%d,"pageSize":%d}\n' % (len(numbers), page.number, page.size)
    return SimulatedResponse(200, b'{"items":[' + rows + tail)


def commits_csv(source: Source, query: Query) -> SimulatedResponse:
    """Answer `GET /analytics/ai-code/commits.csv`: the whole range, instants cut to seconds."""
    numbers = _chosen(source, query)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    rows = source.world.commits.rows
    for number in numbers:
        row = gojson.loads(rows.text(number))
        writer.writerow([_csv_cell(row.get(column)) for column in CSV_COLUMNS])
    name = time.strftime("cursor-sim-export-%Y%m%d-%H%M%S.csv", time.gmtime())
    return SimulatedResponse(
        200, out.getvalue().encode(), "text/csv", {"Content-Disposition": f"attachment; filename={name}"}
    )


def statistics(source: Source, query: Query) -> SimulatedResponse:
    """Answer `GET /admin/stats`: the totals are exact, the rest has only the shape of the original."""
    world = source.world
    people = len(world.members)
    shown = [len(source.everything(table.rows)) for table in (world.commits, world.pulls, world.reviews)]
    teams = Counter(f"Team{n % 6:02d}" for n in range(people))
    return SimulatedResponse(
        200,
        gojson.body(
            {
                "generation": {
                    "total_commits": shown[0],
                    "total_prs": shown[1],
                    "total_reviews": shown[2],
                    "total_issues": 0,
                    "total_developers": people,
                    "data_size": f"{sum(shown) / 2048:.1f} MB",
                },
                "developers": {
                    "by_seniority": {
                        "junior": people // 3,
                        "mid": people - 2 * (people // 3),
                        "senior": people // 3,
                    },
                    "by_region": {"EU": people // 2, "US": people - people // 2},
                    "by_team": dict(sorted(teams.items())),
                    "by_activity": {"high": people // 2, "medium": people - people // 2},
                },
                "quality": {
                    "avg_revert_rate": 0.02,
                    "avg_hotfix_rate": 0.08,
                    "avg_code_survival_30d": 0.85,
                    "avg_review_thoroughness": 0.07,
                    "avg_pr_iterations": shown[2] / shown[1] if shown[1] else 0,
                },
                "variance": {"commits_std_dev": 0, "pr_size_std_dev": 0, "cycle_time_std_dev": 0},
                "performance": {
                    "last_generation_time": "N/A",
                    "memory_usage": "0.0 MB",
                    "storage_efficiency": "95%",
                },
                "organization": {
                    "teams": sorted(teams),
                    "divisions": ["Engineering"],
                    "repositories": sorted(world.repos),
                },
            }
        ),
    )


def _chosen(source: Source, query: Query) -> RowNumbers:
    """Return the commits in the window: of the developer, else of the repository, else all."""
    table = source.world.commits
    first, beyond = _window(source, query)
    user, repo = query.text("user", "users", "userId"), query.text("repoName")
    if not user and not repo:
        return source.shown(table.rows, table.by_time.between(first, beyond))
    numbers = (table.by_user.get(user) if user else table.by_repo.get(repo)) or array("I")
    return source.shown(table.rows, [n for n in numbers if first <= table.at_ns[n] < beyond])


def _window(source: Source, query: Query) -> tuple[int, int]:
    """Return the window: the end is the day's end less one second, so its last second is lost.

    The source compares `commitTs > end`, so an instant of exactly 23:59:59 is still in.
    """
    today = source.world.end_ns // DAY_NS
    first = _day(query.text("startDate", "from"), "startDate", today, today - _DEFAULT_DAYS)
    last = _day(query.text("endDate", "to"), "endDate", today, today)
    return first * DAY_NS, (last + 1) * DAY_NS - SECOND_NS + 1


def _day(text: str, name: str, today: int, default: int) -> int:
    if not text:
        return default
    if text in ("now", "today"):
        return today
    if re.fullmatch(r"-?\d{1,18}d", text, re.ASCII):
        return max(0, min(today - int(text[:-1]), today + 36_500))
    try:
        return parse_instant(text) // DAY_NS if "T" in text else day_number(text)
    except ValueError:
        raise BadRequest(f"invalid {name}: {_DATE_HELP}") from None


def _positive(query: Query, name: str, default: int, most: int | None = None) -> int:
    try:
        value = query.number(name)
    except ValueError:
        raise BadRequest(f"invalid {name}: must be a positive integer") from None
    if value is None:
        return default
    if value < 1:
        raise BadRequest(f"invalid {name}: must be >= 1")
    if most is not None and value > most:
        raise BadRequest(f"invalid {name}: must be <= {most}")
    return value


def _csv_cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\S+", value):
        offset = offset_minutes("Z" if value.endswith("Z") else value[-6:])
        return format_instant(parse_instant(value) // SECOND_NS * SECOND_NS, offset)
    return value
