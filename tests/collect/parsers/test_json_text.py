"""A JSON text has the value, or the reason for none, that Python's own decoder gives."""

import json

from hypothesis import example, given, settings, strategies as st
from tests.collect.parsers.corpus import CASES

from millrace.collect.parsers import reading
from millrace.collect.parsers.fields import MalformedError, SkipReason
from millrace.collect.parsers.reading import parse_json

SHORT = 4000
LINES = sorted({line for case in CASES for log in case.logs for line in log.split(b"\n") if len(line) < SHORT})
MARKS = ("", *' \t\r\n\f\xa0\0,}]"\\1e', "NaN", "1e999999999999999999", "[[", "9" * 5000)
lines = st.sampled_from(LINES).map(lambda line: line.decode(errors="replace"))
noise = st.sampled_from(MARKS)


def decoded(text: str) -> str:
    """Return the value, or the reason why there is none, as the decoder's own method has it."""
    try:
        return repr(json.JSONDecoder(parse_float=reading._decimal).decode(text))
    except RecursionError:
        return SkipReason.TOO_DEEP
    except ValueError:
        return SkipReason.NOT_JSON


def parsed(text: str) -> str:
    try:
        return repr(parse_json(text))
    except MalformedError as error:
        return error.reason


@settings(max_examples=1500, deadline=None, derandomize=True)
@given(lines, st.floats(0, 1), st.floats(0, 1), noise, noise, noise)
@example("", 0.0, 0.0, "", "", "")
@example("[" * 100_000, 0.0, 1.0, "", "", "")
def test_text_has_the_value_of_the_decoder(
    text: str, at: float, to: float, before: str, within: str, after: str
) -> None:
    start, end = sorted((int(at * len(text)), int(to * len(text))))
    for odd in (before + text + after, text[:start] + within + text[end:], before + text[start:end] + after):
        assert parsed(odd) == decoded(odd)
