"""The seven questions that people come with are answered as the page opens: 1400 by 900, no scrolling, no click."""

from typing import Any

import pytest
from tests.page.browser import Visit
from tests.page.conftest import Visitor

# Question, where its answer is, and what it has to contain.
ANSWERS = (
    ("how much this month", "#tile-spent .figure", "$"),
    ("on what", "#cost-by-day .legend", "$"),
    ("who", "#where tbody tr >> nth=0", "$"),
    ("which repository", "#went-into tbody tr >> nth=0", "acme-corp/service-0"),
    ("is it going up", "#tile-spent .tile-note", "vs Oct 1"),
    ("what did we get for it", "#tile-per-pr .figure", "$"),
    ("what did we get for it: merged", "#tile-merged .figure", "1"),
    ("faster", "#tile-median .tile-note", "merged PRs"),
    ("buggier", "#tile-reverted .figure", "%"),
    ("faster or buggier with AI", "#verdict", "pull request"),
    ("can I trust it", "#coverage", "cost known"),
    ("can I trust it: how old", "#badge", ""),
)
OF_OWN_LOGS = ("how much this month", "on what", "who", "is it going up", "can I trust it")


def box_and_text(visit: Visit, selector: str) -> tuple[dict[str, Any], str]:
    element = visit.page.locator(selector).first
    box = element.bounding_box()
    assert box is not None, selector
    return dict(box), element.inner_text()


@pytest.fixture(scope="module")
def first(chromium: Any, served: str) -> Any:
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    yield Visit(context.new_page(), served).open()
    context.close()


@pytest.mark.parametrize(("question", "selector", "part"), ANSWERS, ids=[each[0] for each in ANSWERS])
def test_the_first_screen_answers(first: Visit, question: str, selector: str, part: str) -> None:
    box, text = box_and_text(first, selector)

    assert part in text.replace("\u00a0", " ")
    assert box["y"] + box["height"] <= 900
    assert box["x"] + box["width"] <= 1400


def test_own_logs_alone_answer_five_and_name_what_to_connect_for_two(visitor: Visitor) -> None:
    visit = visitor(width=1400)
    status = visit.real("/api/etl/status")
    for source in status["sources"]:
        if source["table"] != "usage_events":
            source |= {"last_extracted_at": None, "seconds_since": None, "rows": 0, "is_connected": False}
    visit.instead("/api/etl/status", status)

    visit.open()

    for question, selector, part in ANSWERS:
        if question in OF_OWN_LOGS:
            box, text = box_and_text(visit, selector)
            assert part in text
            assert box["y"] + box["height"] <= 900
    for selector in ("#went-into code", "#verdict code"):
        box, text = box_and_text(visit, selector)
        assert text.startswith("millrace run --data-dir")
        assert box["y"] + box["height"] <= 900
