"""The run protocol: the plan of a run, the records of its tasks, its end, and the start of the next run.

There is no coordinator and no counter. Each process that commits a fact (a task record, a ledger row) then reads all
facts of the run, and the one that finds them complete writes `final.json`, once. The last to commit always sees all.
"""

from millrace.runs.completion import Final, fail, finish_if_complete, read_final
from millrace.runs.cursors import Cursor, advance_cursors, forget_cursor, held_cursor, read_cursor
from millrace.runs.plan import Origin, Plan, PlanMissing, RunRequest, Scope, read_plan, run_id_of
from millrace.runs.progress import Claim, Overtaken, Progress, read_progress, save_progress
from millrace.runs.records import (
    Failure,
    Part,
    TaskRecord,
    Tasks,
    note_failure,
    read_failure,
    read_record,
    read_tree,
    tasks_of,
)
from millrace.runs.starting import next_run_id, scope_of, start, start_next

__all__ = [
    "Claim",
    "Cursor",
    "Failure",
    "Final",
    "Origin",
    "Overtaken",
    "Part",
    "Plan",
    "PlanMissing",
    "Progress",
    "RunRequest",
    "Scope",
    "TaskRecord",
    "Tasks",
    "advance_cursors",
    "fail",
    "finish_if_complete",
    "forget_cursor",
    "held_cursor",
    "next_run_id",
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
    "scope_of",
    "start",
    "start_next",
    "tasks_of",
]
