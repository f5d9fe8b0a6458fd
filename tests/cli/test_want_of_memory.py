"""A shortage of memory or threads ends a command with one line, wherever it occurs."""

import pytest

from millrace.cli import main as cli


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "error: the machine failed: MemoryError; give it more of that, then run again\n"),
        (
            RuntimeError("can't start new thread"),
            "error: the machine failed: can't start new thread; give it more of that, then run again\n",
        ),
    ],
)
def test_want_of_memory_ends_a_command_in_one_line(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: object, **named: object) -> None:
        raise error

    monkeypatch.setattr(cli.tree, "main", fail)
    assert cli.main(["status"]) == 3
    assert capsys.readouterr().err == said


def test_an_error_of_ours_keeps_its_stack_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **named: object) -> None:
        raise RuntimeError("dictionary changed size during iteration")

    monkeypatch.setattr(cli.tree, "main", fail)
    with pytest.raises(RuntimeError, match="changed size"):
        cli.main(["status"])
