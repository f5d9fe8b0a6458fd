"""A terminal shows untrusted texts completely, and interprets no part of them."""

import json
import sys

import pytest

from millrace.terminal import library_prints, printable, printable_json


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("dependabot[bot] ✓ Zoë 中文 😀", "dependabot[bot] ✓ Zoë 中文 😀", id="plain text stays"),
        pytest.param("a\nlook: fine\r\t", r"a\nlook: fine\r\t", id="a line of its own"),
        pytest.param("\x1b]0;PWN\x07\x1b[2J", r"\x1b]0;PWN\x07\x1b[2J", id="ESC and BEL"),
        pytest.param("\x9b31m\x7f\x85", r"\x9b31m\x7f\x85", id="C1, DEL and next line"),
        pytest.param("\u202efdp\u2066\u200f", r"\u202efdp\u2066\u200f", id="bidirectional overrides"),
        pytest.param("a\u200bb\ufeff\u2060\u00ad", r"a\u200bb\ufeff\u2060\xad", id="zero-width marks"),
        pytest.param("a\u3164b\u2800\ufe0f\U000e0100", r"a\u3164b\u2800\ufe0f\U000e0100", id="letters without a shape"),
        pytest.param("a\u2028b\u00a0", r"a\u2028b\xa0", id="other separators"),
        pytest.param("\ud800", r"\ud800", id="half a character"),
    ],
)
def test_text_is_shown_and_not_obeyed(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("ascii_alone", [True, False])
def test_printable_json_is_the_same_json(ascii_alone: bool) -> None:
    value = {"a": "\x1b\x7f\x9b\u202e\u200b\u2028\ufeff\u3164\U000e0100 größe 😀"}
    text = printable_json(json.dumps(value, ensure_ascii=ascii_alone))
    assert (printable(text), json.loads(text)) == (text, value)
    assert ascii_alone or "größe 😀" in text


def test_lines_of_a_library_are_indented_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with library_prints():
        sys.stdout.write("Failure in test x\n\nGot 'a\x1b[2J")
        sys.stdout.write("b'\nlook: fine")
    assert capsys.readouterr() == ("", "  Failure in test x\n\n  Got 'a\\x1b[2Jb'\n  look: fine\n")


def test_of_a_traceback_of_a_library_the_last_line_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with library_prints():
        sys.stdout.write(
            '09:00:00  Traceback (most recent call last):\n  File "x.py", line 1\n    ^^^\n\nOSError: no space\n'
        )
    assert capsys.readouterr().err == "  OSError: no space\n"
