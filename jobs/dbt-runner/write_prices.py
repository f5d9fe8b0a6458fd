"""Compare the rate card with LiteLLM's price table, and write what the card lacks to usage_prices_second.csv.

It prints rates that differ, and models that only LiteLLM has. It fails when a rate differs without a reason in NOTED.
With --write it writes the seed; with a file, a wheel of LiteLLM or its JSON, it reads that one and downloads nothing.
"""

import csv
import io
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from millrace.prices import RateCard

SEEDS = Path(__file__).parent / "dbt" / "seeds"
CARD, SECOND = SEEDS / "usage_prices.csv", SEEDS / "usage_prices_second.csv"
VERSION = "1.110.2"
_TABLE = "litellm/model_prices_and_context_window_backup.json"

# Whose models are read, by LiteLLM's name of the vendor: hosts sell the models of others at prices of their own.
VENDORS = {
    "anthropic": "claude-",
    "openai": "gpt-|o[0-9]|codex-",
    "gemini": "gemini-",
    "xai": "grok-",
    "zai": "glm-",
    "deepseek": "deepseek-",
    "moonshot": "kimi-",
    "minimax": "minimax-",
    "dashscope": "qw",
    "mistral": "mistral-|devstral-|codestral-|magistral-",
}
_NO_CODE = re.compile(
    r"audio|realtime|image|tts|transcribe|search-preview|embed|ocr|live|robotics|computer-use|vision|omni|gemma|exp-"
    r"|gpt-3|gpt-4-|gpt-4$|daybreak|rosalind|law|v1-|-vl|-mt|[0-9]v(-|$)|beta|experimental|multi-agent|gv2|deep-research|mamba|tiny|-fim"
)
NOTED: dict[tuple[str, str], str] = {
    ("deepseek-chat", "standard"): "LiteLLM has the price of before 2026-04-24, when another model took the name",
    ("deepseek-reasoner", "standard"): "LiteLLM has the price of before 2026-04-24, when another model took the name",
}
"""Why a rate of a model at a speed differs, or why it is not taken over."""

_TIERS = {"standard": "", "fast": "_priority", "flex": "_flex", "batch": "_batches", "ultrafast": "_ultrafast"}
_KINDS = {
    "input_usd": "input_cost_per_token",
    "output_usd": "output_cost_per_token",
    "cache_read_usd": "cache_read_input_token_cost",
    "cache_write_5m_usd": "cache_creation_input_token_cost",
    "cache_write_1h_usd": "cache_creation_input_token_cost_above_1hr",
}
_WRITES = ("cache_write_5m_usd", "cache_write_1h_usd")
_LENGTH = re.compile(r"input_cost_per_token_above_([0-9]+)k_tokens")
_DATED = re.compile(r"[-@](latest|20[0-9]{6}|20[0-9]{2}-[0-9]{2}-[0-9]{2})$")
_FIRST_DAY = "2024-01-01"


@dataclass(frozen=True, slots=True)
class Key:
    """What has a price of its own."""

    model: str
    speed: str
    region: str
    context_over_tokens: int


Rates = dict[str, Decimal | None]
Offers = dict[Key, Rates]


def read_table(file: Path) -> dict[str, Any]:
    """Return LiteLLM's price table of its JSON or of a wheel."""
    if file.suffix == ".whl":
        with zipfile.ZipFile(file) as wheel:
            table: dict[str, Any] = json.loads(wheel.read(_TABLE))
    else:
        table = json.loads(file.read_text(encoding="utf-8"))
    return table


def download(folder: Path) -> Path:
    """Download the pinned version of LiteLLM, which is not installed, and return the wheel."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--dest", str(folder), f"litellm=={VERSION}"], check=True)  # noqa: S603 our own arguments
    return next(folder.glob("litellm-*.whl"))


def read_offers(table: dict[str, Any]) -> Offers:
    """Return the prices per token of models that write code, by their names with dashes; of two prices neither."""
    offers: Offers = {}
    disputed = set()
    for name, entry in table.items():
        vendor = entry.get("litellm_provider")
        model = name.rsplit("/", 1)[-1].lower().replace(".", "-")
        if vendor not in VENDORS or entry.get("mode") not in ("chat", "responses", "completion"):
            continue
        if not re.match(VENDORS[vendor], model) or _NO_CODE.search(model):
            continue
        for key, rates in _offers(model, vendor, entry):
            if offers.setdefault(key, rates) != rates:
                disputed.add(key)
    return {key: rates for key, rates in offers.items() if key not in disputed}


def _offers(model: str, vendor: str, entry: dict[str, Any]) -> Iterator[tuple[Key, Rates]]:
    more = entry.get("provider_specific_entry") or {}
    search = (entry.get("search_context_cost_per_query") or {}).get("search_context_size_medium")
    for speed, over, rates in _tiers(entry):
        if rates["input_usd"] is None or rates["output_usd"] is None:
            continue
        if vendor == "zai" or rates["cache_write_5m_usd"] == 0:
            rates |= dict.fromkeys(_WRITES, Decimal(0))  # what is free for five minutes is free for an hour
        over -= vendor == "xai" and over > 0  # xAI's other price begins at the length, not above it
        rates["web_search_usd"] = None if search is None else Decimal(repr(search))
        yield Key(model, speed, "", over), rates
        if "us" in more:
            yield Key(model, speed, "us", over), _times(rates, more["us"])
        if "fast" in more and speed == "standard":
            yield Key(model, "fast", "", over), _times(rates, more["fast"])
            if "us" in more:
                yield Key(model, "fast", "us", over), _times(_times(rates, more["fast"]), more["us"])


def _tiers(entry: dict[str, Any]) -> Iterator[tuple[str, int, Rates]]:
    for tier in entry.get("tiered_pricing") or ():
        yield "standard", int(tier["range"][0]), {kind: _usd(tier.get(name)) for kind, name in _KINDS.items()}
    lengths = sorted({int(found[1]) for found in map(_LENGTH.match, entry) if found})
    for speed, suffix in _TIERS.items():
        for length in (0, *lengths):
            above = f"_above_{length}k_tokens" if length else ""
            rates = {kind: _usd(entry.get(f"{name}{above}{suffix}")) for kind, name in _KINDS.items()}
            yield speed, length * 1000, rates


def _usd(per_token: float | None) -> Decimal | None:
    return None if per_token is None else round(Decimal(repr(per_token)) * 10**6, 6).normalize()


def _times(rates: Rates, factor: float) -> Rates:
    by = Decimal(repr(factor))
    return {
        kind: rate if rate is None or kind == "web_search_usd" else (rate * by).normalize()
        for kind, rate in rates.items()
    }


def read_card() -> tuple[Offers, dict[Key, str]]:
    """Return the newest prices of the card, and since when they are valid."""
    offers: Offers = {}
    since: dict[Key, str] = {}
    with CARD.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            key = Key(row["model"], row["speed"], row["region"], int(row["context_over_tokens"]))
            if row["valid_from"] >= since.get(key, ""):
                since[key] = row["valid_from"]
                offers[key] = {name: Decimal(row[name]) if row[name] else None for name in (*_KINDS, "web_search_usd")}
    return offers, since


def differences(theirs: Offers, ours: Offers) -> list[str]:
    """Return the rates that both have, and that differ."""
    return [
        f"{_said(key)}: {kind} is {ours[key][kind]:f} here and {rate:f} there"
        for key, rates in theirs.items()
        if key in ours and (key.model, key.speed) not in NOTED
        for kind, rate in rates.items()
        if None not in (rate, ours[key][kind]) and rate != ours[key][kind]
    ]


def lacking(theirs: Offers, ours: Offers, card: RateCard) -> Offers:
    """Return the prices of models, speeds and regions for which the card has no rate now.

    A longer name, as with a date, is left out where the rules lead to a shorter one with the same price.
    """
    priced = {(key.model, key.speed, key.region) for key, rates in ours.items() if any(rates[kind] for kind in _KINDS)}
    models = {key.model for key in ours}
    lacks: Offers = {}
    for key in sorted(theirs, key=lambda key: (len(key.model), key.model, key.context_over_tokens)):
        rates = theirs[key]
        place = (key.speed, key.region, key.context_over_tokens)
        known = card.model(key.model)
        forms = [*([known] if known else []), *card.forms(key.model)]
        named = {Key(form.name, *place) for form in forms if form.speed is None and form.name != key.model}
        if (key.model, key.speed, key.region) in priced or (key.model, key.speed) in NOTED:
            continue
        if any(_is_same(other[name], rates) for other in (ours, theirs, lacks) for name in named if name in other):
            continue
        short = _DATED.sub("", key.model)
        short = short.removesuffix("-preview") if short.removesuffix("-preview") in models else short
        name = Key(short, *place)
        lacks[key if name in theirs or name in ours else name] = rates
    return lacks


def _is_same(one: Rates, other: Rates) -> bool:
    """Return whether the rates that both have are equal, and there are some."""
    both = [(one[kind], other[kind]) for kind in _KINDS if None not in (one[kind], other[kind])]
    return bool(both) and all(mine == theirs for mine, theirs in both)


def written(lacks: Offers, since: dict[Key, str]) -> str:
    """Return the text of the seed."""
    models = {key.model: day for key, day in sorted(since.items(), key=lambda item: item[1]) if key.speed == "standard"}
    file = io.StringIO()
    rows = csv.writer(file, lineterminator="\n")
    names = (*_KINDS, "web_search_usd")
    rows.writerow(["model", "speed", "region", "context_over_tokens", "valid_from", *names, "source"])
    for key in sorted(
        lacks, key=lambda key: (key.model, key.region, list(_TIERS).index(key.speed), key.context_over_tokens)
    ):
        rates = ["" if lacks[key][name] is None else format(lacks[key][name] or Decimal(0), "f") for name in names]
        place = [key.model, key.speed, key.region, key.context_over_tokens, models.get(key.model, _FIRST_DAY)]
        rows.writerow([*place, *rates, f"LiteLLM {VERSION}"])
    return file.getvalue()


def _said(key: Key) -> str:
    over = f", prompts of more than {key.context_over_tokens:,} tokens" if key.context_over_tokens else ""
    return f"{key.model}, speed {key.speed}{f', region {key.region}' if key.region else ''}{over}"


def main(arguments: list[str]) -> int:
    """Print the differences, or write the seed; return 1 when a rate differs without a reason."""
    files = [Path(argument) for argument in arguments if argument != "--write"]
    for file in files:
        if not file.is_file():
            sys.stderr.write(f"error: expected --write or a file of LiteLLM's prices, got {str(file)!r}\n")
            return 2
    with tempfile.TemporaryDirectory() as folder:
        theirs = read_offers(read_table(files[0] if files else download(Path(folder))))
    ours, since = read_card()
    text = written(lacking(theirs, ours, RateCard.load().without_second_source()), since)
    if "--write" in arguments:
        SECOND.write_text(text, encoding="utf-8")
    now = SECOND.read_text(encoding="utf-8").splitlines()
    names = RateCard.load()
    differ = differences(theirs, ours)
    lines = [f"differs: {line}" for line in differ]
    lines += [f"noted: {model}, speed {speed}: {reason}" for (model, speed), reason in NOTED.items()]
    lines += [f"new: {line}" for line in text.splitlines() if line not in now]
    lines += [f"gone: {line}" for line in now if line not in text.splitlines()]
    lines += [f"without a price: {key.model}" for key in theirs if names.model(key.model) is None]
    sys.stdout.write("".join(f"{line}\n" for line in dict.fromkeys(lines)))
    return 1 if differ else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
