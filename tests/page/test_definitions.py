"""Each number has its definition beside it, in the words of docs/metrics.md."""

import json
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
MODULE = PROJECT / "src" / "millrace" / "api" / "page" / "definitions.js"
METRICS = PROJECT / "docs" / "metrics.md"

pytestmark = pytest.mark.fast


def definitions() -> dict[str, dict[str, str | list[str]]]:
    body = MODULE.read_text().partition("export const DEFINITIONS = ")[2].rstrip().removesuffix(";")
    found: dict[str, dict[str, str | list[str]]] = json.loads(body)
    return found


def plain(text: str) -> str:
    """Return Markdown as it is read: without marks, links and the breaks of lines."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)
    return " ".join(re.sub(r"[`*\\]", "", text).split())


def anchors() -> set[str]:
    heads = re.findall(r"^#+ (.*)$", METRICS.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("key", definitions())
def test_definition_is_a_sentence_of_the_metrics(key: str) -> None:
    metrics = plain(METRICS.read_text())

    assert [said for said in definitions()[key]["says"] if said not in metrics] == []
    assert definitions()[key]["at"] in anchors()
