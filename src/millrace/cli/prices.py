"""`millrace prices`: the prices of models, and those that you add."""

from dataclasses import asdict
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from millrace.cli import options, output, values
from millrace.cli.map import directory_of, lake_of
from millrace.cli.output import ATTENTION, DONE

if TYPE_CHECKING:
    from millrace.laptop.pricing import Effect
    from millrace.status.typed_prices import Price

_KINDS = {
    "input": "input",
    "output": "output",
    "cache_read": "cache reads",
    "cache_write_5m": "cache writes for five minutes",
    "cache_write_1h": "cache writes for an hour",
}
_SPEEDS = ("standard", "fast", "flex", "batch", "ultrafast")
_COLUMNS = ("model", "speed", "region", "context_over_tokens", "valid_from")


class Usd(click.ParamType[Decimal]):
    """An amount of USD, such as 3 or 0.25."""

    name = "USD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Return the amount that a text names."""
        try:
            amount = value if isinstance(value, Decimal) else Decimal(value)
        except InvalidOperation:
            amount = Decimal("nan")
        if not amount.is_finite():
            self.fail(f"expected USD, such as 3 or 0.25, got {value!r}", param, ctx)
        return amount


@click.group(short_help="List the prices of models, and add one.")
def prices() -> None:
    """List the prices of models, and add or remove your own.

    \b
    Example: millrace prices list claude-sonnet-4-5
    """


def _key(command: options.F) -> options.F:
    for option in reversed(
        (
            click.option("--speed", type=click.Choice(_SPEEDS), help="The speed in the log (default: standard)."),
            click.option("--region", help="The region in the log, where it has a price of its own."),
            click.option("--context-over", type=click.IntRange(min=0), help="For prompts of more than so many tokens."),
            click.option("--from", "first_day", type=values.DayOption(), help="The first day of the price."),
        )
    ):
        command = option(command)
    return command


@prices.command(name="list", short_help="List the prices of a model, or all.")
@click.argument("model", required=False)
@options.data_dir
@options.as_json
def list_(model: str | None, data_dir: Path, as_json: bool) -> int:
    """List the prices of a model by any of its names in logs, or all prices, in USD per million tokens.

    \b
    Example: millrace prices list claude-sonnet-4-5
    """
    from millrace.laptop import pricing
    from millrace.laptop.data_dir import DataDir
    from millrace.status import typed_prices

    card = pricing.card_of(DataDir(data_dir.resolve()))
    name = None if model is None else typed_prices.name_of(model, card).name
    found = [dict(row) | {"cost_source": source} for source, row in card.rows(name)]
    found.sort(key=lambda row: (row["model"], *(row[column] for column in _COLUMNS[1:])))
    if as_json:
        output.say_json({"rows": found})
        return DONE if found else ATTENTION
    if not found:
        from millrace.status import maps, suggestions

        near = maps.did_you_mean(suggestions.near(str(name), {row["model"] for _, row in card.rows()}))
        output.say(f"no price of {model}{near}")
        return ATTENTION
    for line in _table(found):
        output.say(line)
    return DONE


@prices.command(short_help="Add a price of a model.")
@click.argument("model")
@click.option("--input", type=Usd(), required=True, help="USD per million tokens.")
@click.option("--output", type=Usd(), required=True, help="USD per million tokens.")
@click.option("--cache-read", type=Usd(), help="USD per million tokens.")
@click.option("--cache-write-5m", type=Usd(), help="USD per million tokens written for five minutes.")
@click.option("--cache-write-1h", type=Usd(), help="USD per million tokens written for an hour.")
@click.option("--web-search", type=Usd(), help="USD per search.")
@_key
@click.option("--source", help="Where and when the price was read.")
@click.option("--force", is_flag=True, help="Take a price that looks wrong.")
@options.writing_a_row
def add(
    model: str,
    input: Decimal,
    output: Decimal,
    speed: str | None,
    region: str | None,
    context_over: int | None,
    first_day: date | None,
    source: str | None,
    force: bool,
    no_build: bool,
    dry_run: bool,
    data_dir: Path | None,
    lake: str | None,
    as_json: bool,
    **caches: Decimal | None,
) -> int:
    """Add a price of a model under its name in the logs, in USD per million tokens; it prices old usage too.

    A rate that you leave out is not known, and never 0: what used such tokens stays without a cost. Of two prices with
    one key the newer counts, and yours before the rate card's. The row is a file in drop/usage_prices.

    \b
    Example: millrace prices add my-model --input 3 --output 15 --cache-read 0.3
    """
    from millrace.prices import RateCard
    from millrace.status import typed_prices

    url = lake_of(data_dir, lake)
    priced = partial(
        typed_prices.priced,
        model=model,
        rates={"input": input, "output": output} | caches,
        speed=speed,
        region=region,
        over=context_over or 0,
        source=source or f"typed on {datetime.now(UTC):%Y-%m-%d}",
        force=force,
    )
    if url:
        return _to_lake(priced(RateCard.load(), first_day=first_day), url, dry_run, as_json)
    from millrace.laptop import pricing

    directory = directory_of(data_dir)
    card = pricing.card_of(directory)
    price = priced(card, first_day=first_day)
    models, used_since = pricing.models_of(directory, price)
    if first_day is None and used_since and used_since < price.valid_from == typed_prices.FIRST_DAY:
        price = priced(card, first_day=used_since)
    if dry_run:
        return _show_plan(price, models, str(pricing.usage_of(directory, models)), as_json)
    effect = pricing.apply(directory, [price], models, is_built=not no_build)
    return _show(price, models, effect, directory.root, as_json)


@prices.command(short_help="Take back a price that you added.")
@click.argument("model")
@_key
@options.writing_a_row
def remove(
    model: str,
    speed: str | None,
    region: str | None,
    context_over: int | None,
    first_day: date | None,
    no_build: bool,
    dry_run: bool,
    data_dir: Path | None,
    lake: str | None,
    as_json: bool,
) -> int:
    """Take back a price that was added; the rate card's counts again. The options name one of several.

    \b
    Example: millrace prices remove my-model
    """
    from millrace.prices import RateCard
    from millrace.status import typed_prices

    url = lake_of(data_dir, lake)
    if url:
        if first_day is None:
            raise click.UsageError("expected --from beside --lake, where the typed prices cannot be read")
        card, over = RateCard.load(), context_over or 0
        price = typed_prices.priced(card, model, {}, speed=speed, region=region, over=over, first_day=first_day)
        return _to_lake(price, url, dry_run, as_json)
    from millrace.laptop import pricing

    directory = directory_of(data_dir)
    price = pricing.typed(directory, model, speed, region, context_over, first_day)
    models, _ = pricing.models_of(directory, price)
    if dry_run:
        return _show_plan(price, models, str(pricing.usage_of(directory, models)), as_json)
    effect = pricing.apply(directory, [price], models, is_built=not no_build)
    return _show(price, models, effect, directory.root, as_json)


def _to_lake(price: "Price", url: str, dry_run: bool, as_json: bool) -> int:
    from millrace import wiring
    from millrace.lake import rows
    from millrace.status import typed_prices

    where, file = f"{url.rstrip('/')}/drop/{typed_prices.TABLE}/", None
    if not dry_run:
        file = rows.drop(wiring.lake_at(url), typed_prices.TABLE, [price.row()], datetime.now(UTC)).version.name
        where = f"{url.rstrip('/')}/{file}"
    if as_json:
        output.say_json({"price": price.row(), "state": "planned" if dry_run else "written", "file": file})
        return DONE
    done = "would be written to" if dry_run else "written to"
    output.say(f"{_name(price)}: {done} {where}; it is loaded and built there, and was not compared with usage")
    return DONE


def _show_plan(price: "Price", models: list[str], usage: str, as_json: bool) -> int:
    if as_json:
        output.say_json({"price": price.row(), "state": "planned", "models": models})
        return DONE
    _show_gaps(price)
    output.say(f"{_name(price)}: would be for {usage}{_names(models)}; nothing was written")
    return DONE


def _show(price: "Price", models: list[str], effect: "Effect", root: Path, as_json: bool) -> int:
    from millrace.errors import Step
    from millrace.status import remedies

    code = ATTENTION if effect.state == "failed" else DONE
    before, now = effect.before, effect.now
    if as_json:
        bad = [asdict(node) for node in effect.bad_nodes]
        said = {"state": effect.state, "models": models, "not_good": bad, "lacking": effect.lacking}
        output.say_json({"price": price.row()} | said | {"before": asdict(before), "now": asdict(now)})
        return code
    for node in effect.bad_nodes:
        output.say(f"look: {node.name}: {node.message}")
    if effect.lacking:
        kinds = " and ".join(_KINDS[kind] for kind in effect.lacking)
        output.say(f"look: {effect.short:,} still have no cost: the price has no rate of {kinds}")
    elif effect.state != "built":
        _show_gaps(price)
    if effect.other:
        doctor = remedies.remedy(Step.ADD_PRICE, remedies.laptop(root))
        output.say(f"look: {effect.other:,} have another speed, region, day or length of prompt; {doctor}")
    if effect.state == "loaded":
        build = remedies.remedy(Step.BUILD, remedies.laptop(root))
        output.say(f"{_name(price)}: loaded; the marts do not have it yet; {build}")
    elif effect.state == "failed":
        output.say(f"{_name(price)}: loaded, but the build failed")
    elif not models:
        output.say(f"{_name(price)}: for usage to come")
    else:
        output.say(f"{_name(price)}: {_outcome(effect)}{_names(models)}")
    return code


def _outcome(effect: "Effect") -> str:
    """Return how many responses got a cost, and how much, or how their cost changed."""
    from millrace.status.maps import usd

    before, now = effect.before, effect.now
    cost, was = now.cost_usd or Decimal(0), before.cost_usd or Decimal(0)
    if now.priced > before.priced:
        got = now.priced - before.priced
        return f"{got:,} response{'s' * (got != 1)} of {now.responses:,} got a cost, {usd(cost - was)} in all"
    if now.priced < before.priced:
        return f"{before.priced - now.priced:,} responses of {now.responses:,} have no cost any more"
    return f"{now}; before it was {usd(was)}" if cost != was else f"no cost changed: {now}"


def _show_gaps(price: "Price") -> None:
    lacking = [words for kind, words in _KINDS.items() if price.rates and price.rates.get(kind) is None]
    if lacking:
        output.say(f"no rate of {', '.join(lacking)}: what used them has an unknown cost, not one of 0")


def _name(price: "Price") -> str:
    region = f", region {price.region}" if price.region else ""
    over = f", prompts of more than {price.context_over_tokens:,} tokens" if price.context_over_tokens else ""
    taken_back = "" if price.rates else " taken back"
    return f"{price.model}{taken_back} ({price.speed}{region}{over}, from {price.valid_from})"


def _names(models: list[str]) -> str:
    return f" ({', '.join(models[:5])}{', …' * (len(models) > 5)})" if models else ""


def _table(found: list[dict[str, Any]]) -> list[str]:
    """Return prices as a table; an empty cell is a rate that is not known."""
    heads = (*_COLUMNS, "input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "web_search", "source")
    rows = [[row[head] if head in row else row[f"{head}_usd"] for head in heads] for row in found]
    shorter = {"context_over_tokens": "over", "cache_write_5m": "write 5m", "cache_write_1h": "write 1h"}
    titles = [shorter.get(head, head.replace("_", " ")) for head in heads]
    widths = [max(len(row[at]) for row in [titles, *rows]) for at in range(len(heads))]
    is_text = [head in ("model", "speed", "region", "valid_from", "source") for head in heads]
    return [
        "  ".join(
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(row, widths, is_text, strict=True)
        ).rstrip()
        for row in [titles, *rows]
    ]
