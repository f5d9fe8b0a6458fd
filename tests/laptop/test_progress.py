"""What a run shows of its log."""

import pytest

from millrace import log
from millrace.laptop.progress import ProgressLog


def test_unforeseen_error_is_shown_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLog():
        try:
            raise KeyError("key")
        except KeyError as error:
            log.unforeseen("load", error, str(error))
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "KeyError" in line]
    assert "load: KeyError: 'key'" in line
    assert "test_progress.py" in line
