"""The pipeline without a guard against users' actions on a machine; `mutants` names the schedule that notices each."""

from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

from tests.proofs.faults.world import replaced

from millrace.errors import BadObject
from millrace.load import handler, recovery
from millrace.warehouse import parquet


def what_the_ledger_lacks_is_not_looked_for() -> AbstractContextManager[None]:
    return replaced(recovery, "recover_if_due", lambda loader, bus: [])


def a_cursor_is_believed_whatever_the_warehouse_has() -> AbstractContextManager[None]:
    return replaced(recovery, "forget_cursors", lambda lake, warehouse: [])


def a_time_that_cannot_be_is_believed() -> AbstractContextManager[None]:
    return replaced(handler, "MOST_AHEAD", timedelta(days=36_500))


def a_lack_of_the_machine_is_blamed_on_the_file() -> AbstractContextManager[None]:
    read_and_load = handler._read_and_load

    def mutated(*arguments: Any) -> Any:
        try:
            return read_and_load(*arguments)
        except OSError as error:
            raise BadObject("unreadable", str(error)) from error

    return replaced(handler, "_read_and_load", mutated)


def names_of_the_engine_are_columns_like_others() -> AbstractContextManager[None]:
    return replaced(parquet, "_RESERVED", {})
