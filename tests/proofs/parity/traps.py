"""Small selects over the project's own macros, which the engines would answer differently without them.

dbt compiles them for both engines; the expected rows are in test_traps.py.
"""

_TIES = {"even": "1 2 3 10", "odd": "3 1 2", "ties": "2 2 2 5 5", "one": "7", "some": "1 null 3", "none": "null"}
_SUMMANDS = ("1e17", "0.1", "0.2", "0.3", "-1e17", "null")
_SUM = "select {{ exact_sum('v') }} as total from given"
_LISTS = (("['a', 'b', 'a']",), ("['a', null]",), ("[]",), ("case when 1 = 0 then ['a'] end",))


def _over(columns: str, *rows: tuple[str, ...], then: str) -> str:
    """Return a query over the CTE `given`, whose rows have numbers in n. No VALUES: Snowflake takes no lists there."""
    names = ["n", *columns.split()]
    numbered = [dict(zip(names, (str(n), *row), strict=True)) for n, row in enumerate(rows)]
    selects = ["select " + ", ".join(f"{value} as {name}" for name, value in row.items()) for row in numbered]
    union = "\n    union all ".join(selects)
    return f"with given as (\n    {union}\n){then}\n"


def _at(text: str) -> str:
    return f"cast({text if text == 'null' else repr(text)} as timestamp)"


def _double(text: str) -> tuple[str]:
    return (f"cast({text} as double)",)


TRAPS = {
    "hours_between": _over(
        "earlier later",
        (_at("2026-03-02 10:59:00"), _at("2026-03-02 11:01:00")),
        (_at("2026-03-02 11:00:00"), _at("2026-03-02 10:59:59.999999")),
        (_at("2026-03-01 00:00:00"), _at("2027-03-01 00:00:00")),
        (_at("2026-03-01 00:00:00"), _at("null")),
        then="select {{ hours_between('earlier', 'later') }} as hours from given order by n",
    ),
    "week_of": _over(
        "instant",
        (_at("2026-03-01 23:59:59.999999"),),
        (_at("2026-03-02 00:00:00"),),
        (_at("2026-03-02 02:00:00"),),
        (_at("2027-01-01 12:00:00"),),
        (_at("null"),),
        then="select {{ week_of('instant') }} as week, cast(instant as date) as day from given order by n",
    ),
    "list_length": _over("texts", *_LISTS, then="select {{ list_length('texts') }} as size from given order by n"),
    "select_unnested": _over(
        "texts",
        *_LISTS,
        then=", elements as ({{ select_unnested('given', ['n'], 'texts', 'element') }})"
        "select n, element from elements order by n, element",
    ),
    "json_array_size": _over(
        "text",
        *(("'[]'",), ("""'[{"a": [1, 2]}]'""",), ("' [1, null] '",), ("""'[{"a": 1, "a": 2}]'""",)),
        *(("""'{"a": 1}'""",), ("""'"[1]"'""",), ("'1'",), ("'null'",), ("''",)),
        *(("'{'",), ("'[1'",), ("'[1] 2'",), ("cast(null as varchar)",)),
        then="select {{ json_array_size('text') }} as size from given order by n",
    ),
    "ratio": _over(
        "one other",
        *(("7", "2"), ("1", "3"), ("1", "0")),
        then="select {{ ratio('one', 'other') }} as ratio, {{ ratio('100 * one', 'other') }} as percent"
        " from given order by n",
    ),
    "exact_sum": _over("v", *map(_double, _SUMMANDS), then=_SUM),
    "exact_sum_backwards": _over("v", *map(_double, _SUMMANDS[::-1]), then=_SUM),
    "percentiles": _over(
        "g v",
        *((f"'{g}'", *_double(v)) for g, values in _TIES.items() for v in values.split()),
        then="select g, percentile_cont(0.5) within group (order by v) as p50,"
        " percentile_cont(0.9) within group (order by v) as p90 from given group by g order by g",
    ),
    "cost_of": _over(
        "tokens rate",
        ("1000000000000", "cast(999999.999999 as decimal(12, 6))"),
        ("1", "cast(0.000001 as decimal(12, 6))"),
        ("0", "cast(null as decimal(12, 6))"),
        ("1", "cast(null as decimal(12, 6))"),
        then="select {{ cost_of('tokens', 'rate') }} as usd from given order by n",
    ),
    "money": _over(
        "text",
        *(("'0.1234567890125'",), ("'1e-7'",), ("'12.50'",), ("'-3'",), ("'x'",), ("''",), ("'NaN'",)),
        ("cast(null as varchar)",),
        then="select try_cast(text as {{ money() }}) as usd from given order by n",
    ),
    "full_match": _over(
        "text pattern",
        *(("'claude-3'", "'claude-3(-[0-9]+)?'"), ("'claude-3-1x'", "'claude-3(-[0-9]+)?'")),
        *(("'b'", "'a|b'"), ("'ab'", "'a|b'"), ("'aXc'", "'a[.]c'"), ("null", "'a'")),
        then="select {{ full_match('text', 'pattern') }} as is_match from given order by n",
    ),
    "try_full_match": _over(
        "text pattern",
        *(("'ab'", "'a['"), ("'ab'", "'a.'")),
        then="select {{ try_full_match('text', 'pattern') }} as is_match from given order by n",
    ),
    "event_id": _over(
        "agent message_id request_id",
        *(("'claude'", "'m'", "'r'"), ("'claude'", "'m'", "cast(null as varchar)")),
        then="select {{ event_id() }} as event_id from given order by n",
    ),
    "same_key": _over(
        "one_project other_project",
        *(("'a'", "'a'"), ("'a'", "'b'"), ("'a'", "null"), ("cast(null as varchar)", "null")),
        then=", one as (select n, one_project as project from given),"
        " other as (select n, other_project as project from given)"
        " select one.n from one inner join other on one.n = other.n and {{ same_key('one', 'other', ['project']) }}"
        " order by one.n",
    ),
    "bars": _over("text", ("'a'",), ("null",), then="select text || 'b' as both from given order by n"),
    "count_where": _over(
        "v",
        *(("1",), ("2",), ("null",)),
        then="select {{ count_where('v > 1') }} as some, {{ count_where('v > 9') }} as none from given",
    ),
}
