"""The run protocol: the plan of a run, the records of its tasks, its end, and the start of the next run.

There is no coordinator and no counter. Each process that commits a fact (a task record, a ledger row) then reads all
facts of the run, and the one that finds them complete writes `final.json`, once. The last to commit always sees all.
"""

from millrace.runs.completion import Final, fail, finish_if_complete, read_final
from millrace.runs.cursors import Cursor, advance_cursors, forget_cursor, held_cursor, read_cursor
from millrace.runs.plan import Plan, PlanMissing, RunRequest, read_plan, run_id_of, start
from millrace.runs.progress import Claim, Overtaken, Progress, read_progress, save_progress
from millrace.runs.records import Failure, Part, TaskRecord, note_failure, read_failure, read_record, read_tree

__all__ = [
    "Claim",
    "Cursor",
    "Failure",
    "Final",
    "Overtaken",
    "Part",
    "Plan",
    "PlanMissing",
    "Progress",
    "RunRequest",
    "TaskRecord",
    "advance_cursors",
    "fail",
    "finish_if_complete",
    "forget_cursor",
    "held_cursor",
    "note_failure",
    "read_cursor",
    "read_failure",
    "read_final",
    "read_plan",
    "read_progress",
    "read_record",
    "read_tree",
    "run_id_of",
    "save_progress",
    "start",
]
