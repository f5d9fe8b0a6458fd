"""The two maps of a demo, which a person maintains in a real company: projects to repositories, users to developers.

They are dropped files like any other. Without them no cost of the simulated company would be that of a repository.
"""

import csv
from collections.abc import Iterable
from io import StringIO

from millrace.lake import Lake, ObjectMissing
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse

_FOLDER = "src"  # the folder in a simulated home that holds the repositories
_REPOS = "SELECT DISTINCT full_name FROM raw.repos WHERE full_name IS NOT NULL ORDER BY 1"
_AUTHORS = """
    SELECT lower("userEmail"), min("userId") FROM raw.commits
    WHERE "userEmail" IS NOT NULL AND "userId" IS NOT NULL GROUP BY 1 HAVING count(DISTINCT "userId") = 1 ORDER BY 1"""


def drop_maps(lake: Lake, warehouse: DuckDBWarehouse) -> None:
    """Drop both files, where they would say something new."""
    projects = [(f"{_FOLDER}-{name.rpartition('/')[2]}", name) for (name,) in warehouse.query(_REPOS)]
    _drop(lake, "project_repositories", ("project", "repo_name"), projects)
    _drop(lake, "user_developers", ("user_id", "developer"), warehouse.query(_AUTHORS))


def _drop(lake: Lake, table: str, columns: tuple[str, str], rows: Iterable[tuple[str, ...]]) -> None:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    content, name = text.getvalue().encode(), f"drop/{table}/demo.csv"
    try:
        held, stored = lake.read(name)
    except ObjectMissing:
        lake.write(name, content, 0)
    else:
        if held != content:
            lake.write(name, content, stored.version.generation)
