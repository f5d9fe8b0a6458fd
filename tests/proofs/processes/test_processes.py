"""Two schedules with real processes, and how a machine's abilities are detected; `make prove-processes` has 200."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.proofs.processes.abilities import lacking
from tests.proofs.processes.operations import OPERATIONS
from tests.proofs.processes.schedules import Undisturbed, drawn, perform
from tests.proofs.processes.workplace import named

Which = Callable[[str], str | None]
SEEDS = (0, 1)


def everywhere(name: str) -> str:
    return f"/usr/bin/{name}"


def without(absent: str) -> Which:
    return lambda name: None if name == absent else everywhere(name)


def answering(refused: str = "", year_then: str = "2028") -> Callable[[Sequence[str]], str | None]:
    def answer(command: Sequence[str]) -> str | None:
        if refused and refused in command:
            return None
        return year_then if command[0] == "faketime" else "2026"

    return answer


def test_a_machine_that_allows_everything_lacks_nothing() -> None:
    assert lacking(everywhere, answering()) == {}


@pytest.mark.parametrize(
    ("which", "refused", "reason"),
    [
        (without("unshare"), "", "unshare is not installed"),
        (everywhere, "unshare", "this user may make no mounts"),
        (everywhere, "mount", "a tmpfs cannot be mounted"),
    ],
)
def test_missing_mount_ability_is_reported_with_reason(which: Which, refused: str, reason: str) -> None:
    assert lacking(which, answering(refused)) == {"mounts": reason}


@pytest.mark.parametrize(
    ("which", "refused", "year_then", "reason"),
    [
        (without("faketime"), "", "2028", "faketime is not installed"),
        (everywhere, "faketime", "2028", "faketime does not change the clock of Python"),
        (everywhere, "", "2026", "faketime does not change the clock of Python"),
    ],
)
def test_missing_clock_ability_is_reported_with_reason(which: Which, refused: str, year_then: str, reason: str) -> None:
    assert lacking(which, answering(refused, year_then)) == {"faketime": reason}


def test_unsupported_operations_are_skipped_by_name() -> None:
    seeds = [seed for seed in range(100) if any(each.needs for each in drawn(seed, {})[0])]
    assert seeds
    for seed in seeds:
        done, skipped, _, _ = drawn(seed, {"mounts": "no", "faketime": "no"})
        assert [each.name for each in skipped] == [each.name for each in drawn(seed, {})[0] if each.needs]
        assert [each.name for each in done] == [each.name for each in drawn(seed, {})[0] if not each.needs]


def test_every_operation_is_among_the_first_200_schedules() -> None:
    assert {each.name for seed in range(200) for each in drawn(seed, {})[0]} == {each.name for each in OPERATIONS}


def test_repairs_are_extracted_from_command_output() -> None:
    said = (
        "look: x; type: millrace rebuild --data-dir '/a b/d'\n"
        "type: millrace collect --data-dir /d --watch, or once: millrace collect --data-dir /d\n"
        "set the clock, then type: millrace run --data-dir /d --full-refresh; what was dropped, drop again\n"
        "type: millrace quarantine list --data-dir /d, and see millrace rebuild"
    )
    assert named(said) == ["rebuild", "collect", "run --full-refresh"]


def test_the_fixed_sample_ends_like_machines_that_were_never_disturbed(tmp_path: Path) -> None:
    undisturbed = Undisturbed(tmp_path)
    outcomes = [perform(seed, undisturbed, lacking()) for seed in SEEDS]
    assert [(outcome.seed, outcome.wrong, outcome.story) for outcome in outcomes if outcome.wrong] == []
