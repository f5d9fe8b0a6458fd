"""The command of the proof ends with 1 at whatever is not as promised."""

from collections import Counter
from contextlib import nullcontext

import pytest
from tests.proofs.github import __main__ as command, faults, kills

from simulator.github import Knobs

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out each part; a test puts its own in place."""
    monkeypatch.setattr(command, "_honest", lambda: iter(()))
    monkeypatch.setattr(command, "_marts", lambda: iter(()))
    monkeypatch.setattr(command, "CAUGHT_BY", {})
    monkeypatch.setattr(faults, "FAULTS", ())
    monkeypatch.setattr(kills, "killed", lambda *_: kills.Outcome(0, 2, 100, Counter(), ()))


def test_all_as_promised_ends_with_0() -> None:
    assert command.main([]) == 0


def test_fault_that_differs_from_the_page_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        faults, "FAULTS", (faults.Fault("six answers 502 in a row", Knobs(deleted_after_listing=("api",))),)
    )
    assert command.main([]) == 1
    assert "docs/connect-github.md" in capsys.readouterr().out


def test_mutant_of_a_scenario_that_is_wrong_without_it_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "CAUGHT_BY", {nullcontext: lambda account: ["wrong without the mutant"]})
    assert command.main([]) == 1


def test_runs_without_a_kill_end_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kills, "killed", lambda *_: kills.Outcome(0, 0, 100, Counter(), ()))
    assert command.main([]) == 1
