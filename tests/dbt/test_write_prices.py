"""`make prices` finds what the card lacks and rates that differ."""

import importlib.util
import json
import sys
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.dbt.conftest import ROOT

from millrace.prices import RateCard

SONNET = {
    "litellm_provider": "anthropic",
    "mode": "chat",
    "input_cost_per_token": 3e-06,
    "output_cost_per_token": 1.5e-05,
    "cache_read_input_token_cost": 3e-07,
}

FAST = {"input_cost_per_token_priority": 6e-06, "output_cost_per_token_priority": 3e-05}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_prices", ROOT / "jobs" / "dbt-runner" / "write_prices.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for the types of their fields
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def seed(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The seed of the second source, of the test's own."""
    seed = tmp_path / "usage_prices_second.csv"
    seed.write_text(script.SECOND.read_text())
    monkeypatch.setattr(script, "SECOND", seed)
    return seed


def table(tmp_path: Path, entries: dict[str, Any]) -> str:
    file = tmp_path / "table.json"
    file.write_text(json.dumps(entries))
    return str(file)


def test_rate_that_differs_is_named_and_fails(
    script: ModuleType, seed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same, dearer = {"claude-sonnet-4-5": SONNET}, {"claude-sonnet-4-5": SONNET | {"output_cost_per_token": 2e-05}}
    assert script.main([table(tmp_path, same)]) == 0
    assert "differs" not in capsys.readouterr().out
    assert script.main([table(tmp_path, dearer)]) == 1
    assert "differs: claude-sonnet-4-5, speed standard: output_usd is 15 here and 20 there" in capsys.readouterr().out


def test_models_that_the_card_lacks_are_written(script: ModuleType, seed: Path, tmp_path: Path) -> None:
    entries = {
        "claude-sonnet-4-5": SONNET,
        "claude-novel-9": SONNET | {"provider_specific_entry": {"us": 1.1, "fast": 2}},
        "claude-novel-9-20270101": SONNET | {"provider_specific_entry": {"us": 1.1, "fast": 2}},
        "bedrock/anthropic.claude-novel-10": SONNET | {"litellm_provider": "bedrock"},
        "zai/glm-9": SONNET | FAST | {"litellm_provider": "zai"},
        "gpt-9-audio": SONNET | {"litellm_provider": "openai"},
    }
    assert script.main([table(tmp_path, entries), "--write"]) == 0
    rows = [line.split(",") for line in seed.read_text().splitlines()[1:]]
    assert [tuple(row[:3] + row[5:10]) for row in rows] == [
        ("claude-novel-9", "standard", "", "3", "15", "0.3", "", ""),
        ("claude-novel-9", "fast", "", "6", "30", "0.6", "", ""),
        ("claude-novel-9", "standard", "us", "3.3", "16.5", "0.33", "", ""),
        ("claude-novel-9", "fast", "us", "6.6", "33", "0.66", "", ""),
        ("glm-9", "standard", "", "3", "15", "0.3", "0", "0"),
        ("glm-9", "fast", "", "6", "30", "", "0", "0"),
    ]


def test_two_prices_of_one_model_are_neither(script: ModuleType) -> None:
    dearer = SONNET | {"input_cost_per_token": 4e-06}
    assert script.read_offers({"claude-novel-9": SONNET, "anthropic/claude-novel-9": dearer}) == {}


def test_seed_is_what_the_script_writes_of_prices_of_the_card(script: ModuleType) -> None:
    """Without a table everything would be gone; with the seed's own prices nothing is new."""
    ours, since = script.read_card()
    rows = [line.split(",") for line in script.SECOND.read_text().splitlines()[1:]]
    names = [*script._KINDS, "web_search_usd"]
    theirs = {
        script.Key(row[0], row[1], row[2], int(row[3])): {
            name: Decimal(rate) if rate else None for name, rate in zip(names, row[5:11], strict=True)
        }
        for row in rows
    }
    card = RateCard.load().without_second_source()
    assert script.written(script.lacking(theirs, ours, card), since) == script.SECOND.read_text()
