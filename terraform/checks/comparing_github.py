"""The comparison of a finished run of a GitHub source with GitHub, task by task."""

from terraform.checks.comparing import Compared
from terraform.checks.sources import Account

from millrace.extract.sources.github.source import Probe
from millrace.runs import TaskRecord


def compare(record: TaskRecord, source: Account, now: Probe) -> Compared:
    """Return whether a task proved to have every row of its list, and whether GitHub still counts as many.

    Of commits GitHub is not asked again: it counts them by a request for each repository.
    """
    total, task = record.source_total, record.task_id
    parts = f"source {total:,}, of the run {record.known:,} known + {record.rows:,} written"
    if record.table == "github_repos":
        if source.repositories:
            return Compared(task, None, f"{parts}; not compared: only {len(source.repositories)} are read")
        return _with(task, parts, total, len(now.repositories))
    if record.mark is None:
        return Compared(task, None, f"{parts}; not complete: a full read follows, or source_windows has the reason")
    repository = int(task.partition("__")[2])
    if record.table != "github_pull_requests":
        return Compared(task, None, f"{parts}; complete, not compared with the source as it is now")
    count = now.pull_requests.get(repository)
    if count is None:
        return Compared(task, None, f"{parts}; could not compare: it is not counted, or the repository is gone")
    return _with(task, parts, total, count)


def _with(task: str, parts: str, total: int, now: int) -> Compared:
    if now == total:
        return Compared(task, True, f"{parts}, now {now:,}: equal")
    difference = f"{parts}, now {now:,} ({now - total:+,})"
    if now > total:
        return Compared(task, True, f"{difference}: changed since")
    return Compared(task, False, f"{difference}: what the run counted is gone")
