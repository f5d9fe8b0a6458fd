"""The run protocol: what a run set out to do, what each task did, when all of it is loaded, and where the next starts.

No coordinator and no counter: whoever commits a fact (a task record, a ledger row) reads all facts of the run after
it, and the one that sees them complete writes `final.json`, once. The last to commit always sees everything.
"""

from millrace.runs.completion import Final, fail, finish_if_complete, read_final
from millrace.runs.cursors import Cursor, advance_cursors, forget_cursor, held_cursor, read_cursor
from millrace.runs.plan import Order, Plan, PlanMissing, read_plan, run_id_of, start
from millrace.runs.records import Failure, Part, TaskRecord, note_failure, read_failure, read_record, read_tree

__all__ = [
    "Cursor",
    "Failure",
    "Final",
    "Order",
    "Part",
    "Plan",
    "PlanMissing",
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
    "read_record",
    "read_tree",
    "run_id_of",
    "start",
]
