"""The seven questions that people come with are answered as the page opens: 1400 by 900, no scrolling, no click."""

import re
from typing import Any

import pytest
from tests.page import company
from tests.page.browser import Visit
from tests.page.conftest import Visitor

# Question, where its answer is, and the pattern of an answer.
ANSWERS = (
    ("how much this month", "#tile-spent .figure", r"^(≥ )?\$[1-9]"),
    ("on what", "#cost-by-day .legend", r"[a-z] \$[1-9]"),
    ("who", "#where tbody tr >> nth=0", r"^\w+\s+(≥ )?\$[1-9]"),
    ("which repository", "#went-into tbody tr >> nth=0", r"^acme-corp/service-\d+\s+(≥ )?\$[1-9]"),
    ("is it going up", "#tile-spent .tile-note", r"\d% vs Oct 1"),
    ("what did we get for it", "#tile-per-pr .figure", r"^(≥ )?\$\d"),
    ("what did we get for it: merged", "#tile-merged .figure", r"^[1-9]\d*$"),
    ("faster", "#tile-median .tile-note", r"of [1-9]\d* merged PRs"),
    ("buggier", "#tile-reverted .figure", r"^[\d.]+%\s+95% interval\s+\([\d.]+\S[\d.]+%\)"),
    ("faster or buggier with AI", "#verdict", r"\d+ pull requests? with much AI"),
    ("can I trust it", "#coverage", r"cost known \d+%"),
    ("can I trust it: how old", "#badge", r"^\S \w"),
)
OF_OWN_LOGS = ("how much this month", "on what", "who", "is it going up", "can I trust it")


def box_and_text(visit: Visit, selector: str) -> tuple[dict[str, Any], str]:
    element = visit.page.locator(selector).first
    box = element.bounding_box()
    assert box is not None, selector
    return dict(box), element.inner_text().replace("\u00a0", " ")


@pytest.mark.parametrize(("question", "selector", "answer"), ANSWERS, ids=[each[0] for each in ANSWERS])
def test_the_first_screen_answers(opened: Visit, question: str, selector: str, answer: str) -> None:
    box, text = box_and_text(opened, selector)

    assert re.search(answer, text), text
    assert box["y"] + box["height"] <= 900
    assert box["x"] + box["width"] <= 1400


def test_own_logs_alone_answer_five_and_name_what_to_connect_for_two(visitor: Visitor) -> None:
    visit = visitor(width=1400)
    visit.instead("/api/etl/status", company.never_read(visit.real("/api/etl/status"), but="usage_events"))

    visit.open()

    for question, selector, answer in ANSWERS:
        if question in OF_OWN_LOGS:
            box, text = box_and_text(visit, selector)
            assert re.search(answer, text), text
            assert box["y"] + box["height"] <= 900
    for selector in ("#went-into code", "#verdict code"):
        box, text = box_and_text(visit, selector)
        assert text.startswith("millrace run --data-dir")
        assert box["y"] + box["height"] <= 900
