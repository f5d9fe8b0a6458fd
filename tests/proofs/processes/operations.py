"""The operations of a schedule on the machine and on its data, each with its name and the abilities that it needs."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.proofs.processes import of_files, of_machine
from tests.proofs.processes.abilities import Ability
from tests.proofs.processes.workplace import Workplace


@dataclass(frozen=True)
class Operation:
    """An operation. `may_begin`: it makes sense in an empty data directory; `forgets`: a collector loses its state."""

    name: str
    act: Callable[[Workplace, Random], str]
    needs: Ability | None = None
    may_begin: bool = False
    forgets: bool = False
    weight: int = 2


OPERATIONS = (
    Operation("the disk is full", of_machine.fill_disk, "mounts", may_begin=True, weight=4),
    Operation("no inodes are left", of_machine.use_up_inodes, "mounts", may_begin=True),
    Operation("the disk is read-only", of_machine.forbid_writing, "mounts", may_begin=True),
    Operation("few handles", of_machine.limit_handles, may_begin=True),
    Operation("little memory", of_machine.limit_memory, may_begin=True),
    Operation("files may not grow", of_machine.limit_file_size, may_begin=True),
    Operation("the clock is ahead", of_machine.set_clock_ahead, "faketime", may_begin=True),
    Operation("the clock is behind", of_machine.set_clock_behind, "faketime", may_begin=True),
    Operation("the clock jumps", of_machine.let_clock_jump, "faketime", may_begin=True),
    Operation("a command is killed", of_machine.kill_one, may_begin=True, weight=4),
    Operation("somebody reads the warehouse", of_machine.hold_warehouse),
    Operation("the warehouse is removed", of_files.on("warehouse", of_files.remove)),
    Operation("the warehouse is cut", of_files.on("warehouse", of_files.cut)),
    Operation("the warehouse is damaged", of_files.on("warehouse", of_files.damage)),
    Operation("an older warehouse is put back", of_files.on("warehouse", of_files.put_back)),
    Operation("the published copy is removed", of_files.on("published", of_files.remove)),
    Operation("the published copy is cut", of_files.on("published", of_files.cut)),
    Operation("the published copy is damaged", of_files.on("published", of_files.damage)),
    Operation("an older published copy is put back", of_files.on("published", of_files.put_back)),
    Operation("the notes of the lake are removed", of_files.remove_notes),
    Operation("an object is emptied", of_files.empty_an_object),
    Operation("the collector's state is removed", of_files.remove_state, forgets=True),
    Operation("the collector's state is damaged", of_files.damage_state, forgets=True),
    Operation("the data directory is copied", of_files.copy_data),
    Operation("the data directory is moved", of_files.move_data),
    Operation("logs change", of_files.change_logs, may_begin=True, weight=4),
    Operation("a hostile file is dropped", of_files.drop_hostile_file, weight=3),
)
