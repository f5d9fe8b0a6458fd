"""Every statement for Snowflake is valid there, and means the same on DuckDB if DuckDB runs it too."""

import tomllib
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.contract import on_snowflake
from tests.proofs.parity.compiling import Compiled
from tests.proofs.parity.extracted import END
from tests.proofs.parity.linting import findings, of_snowflake

from emulators import snowflake
from emulators.snowflake.grammar import Grammar, grammar
from emulators.snowflake.grammar_table import Form, forms
from millrace.arrow import to_batch
from millrace.lake import ObjectVersion
from millrace.tables import TABLES
from millrace.warehouse import Batch, SmallObject
from millrace.warehouse.snowflake import objects
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

pytestmark = pytest.mark.slow

REPOS, PULLS = TABLES["repos"], TABLES["pull_requests"]
OTHERS = tomllib.loads((Path(on_snowflake.__file__).with_name("snowflake_statements.toml")).read_text())


class Overheard(SnowflakeWarehouse):
    """A warehouse that records its statements."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.statements: list[str] = []

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        self.statements.append(statement)
        return super().execute(statement, *values)


@pytest.fixture(scope="module")
def sent(snowflake_at: str, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """All statements of the adapter: parts from the lake and from here, a bundle, a new column, a build, its marts."""
    folder = tmp_path_factory.mktemp("sent")
    (folder / "lake" / "raw").mkdir(parents=True)
    address = on_snowflake.address_of(snowflake_at, "OVERHEARD")
    snowflake.provision(address, f"file://{folder}/lake/raw/")
    with Overheard(address, "lake", lambda: END) as warehouse:
        warehouse.ensure_tables()
        for table, more in ((REPOS, False), (PULLS, False), (REPOS, True)):
            path = folder / "lake" / "raw" / f"{table.name}-{more}.parquet"
            rows = _rows(table.name)
            pq.write_table(rows.append_column("more", pa.array(["x"] * len(rows))) if more else rows, path)
            version = ObjectVersion("lake", f"raw/{path.name}", 1)
            warehouse.load(Batch(version, table, path, END, "r1"))
            warehouse.load(Batch(replace(version, name=f"drop/{path.name}"), table, path, END, None))
        warehouse.load_bundle(PULLS, [SmallObject(ObjectVersion("lake", "drop/small", 1), _rows(PULLS.name))], END)
        warehouse.quarantine(ObjectVersion("lake", "drop/bad", 1), None, None, 1, "no Parquet")
        warehouse.loads_of("r1")
        warehouse.entries()
        warehouse.entries(is_quarantined=True)
        assert list(warehouse.keys_of(REPOS)) == [("acme/web",)]
        SnowflakeWarehouse.execute(warehouse, "CREATE TABLE MART.VELOCITY AS SELECT 1 AS TOTAL_PRS")  # as dbt would
        build = warehouse.start_build(1, "holder", warehouse.newest_load_seq())
        warehouse.publish(build)
        assert warehouse.published() == warehouse.last_builds()[0] == build
        warehouse.end_build(build, True, 1.0, ())
        return warehouse.statements


def _rows(table: str) -> pa.Table:
    given: dict[str, dict[str, object]] = {
        "repos": {"full_name": "acme/web"},
        "pull_requests": {"id": 1, "number": 1, "repo_name": "acme/web"},
    }
    return pa.Table.from_batches([to_batch([given[table]], TABLES[table], END, "r1")])


def test_all_project_sql_is_valid_on_snowflake_with_same_meaning(for_snowflake: Compiled) -> None:
    own = {path: sql for path, sql in for_snowflake.items() if not path.startswith("analyses/")}
    assert {path: found for path, sql in own.items() if (found := findings(sql))} == {}
    assert "models/marts/velocity.sql" in own
    assert sum(".yml/" in path for path in own) > 25


def test_every_statement_of_the_adapter_is_sql_of_snowflake(sent: list[str]) -> None:
    wrong = {sql: found for sql in sent if (found := of_snowflake(sql))}
    assert wrong == {}


def test_the_statements_that_are_looked_at_are_of_every_kind(sent: list[str]) -> None:
    kinds = {"ALTER", "BEGIN", "COMMIT", "COPY", "CREATE", "INSERT", "MERGE", "PUT", "SELECT", "UPDATE"}
    assert kinds <= {sql.split()[0] for sql in sent}


def test_each_form_is_used_by_a_statement_that_is_refused_without_it(sent: list[str], for_snowflake: Compiled) -> None:
    provided = [*objects.META.values(), *objects.ADDED.values()]
    cases = [case for kind in ("report", "example", "use") for case in OTHERS[kind]]
    texts = [case[name] for case in cases for name in ("documented", "statement") if name in case]
    others = [text.replace("{database}", "d") for text in texts]
    accepted = [sql for sql in (*sent, *provided, *for_snowflake.values(), *others) if not of_snowflake(sql)]
    using: dict[Form, list[str]] = defaultdict(list)
    for sql in sorted(set(accepted), key=len):
        for form in set(grammar().forms_of(sql)):
            using[form].append(sql)
    needless = [str(form) for form in forms() if not any(_is_refused_without(form, sql) for sql in using[form][:9])]
    assert needless == []


def _is_refused_without(form: Form, sql: str) -> bool:
    return Grammar(each for each in forms() if each is not form).refusal(sql) is not None


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        pytest.param("select epoch_us(a) from t", "Unknown function EPOCH_US", id="of DuckDB alone"),
        pytest.param("select len(a) from t", "Unknown function LEN", id="by another name"),
        pytest.param("select string_agg(a, ',') from t", "Unknown function GROUP_CONCAT", id="a known one"),
        pytest.param("select current_date", "Unknown function CURRENT_DATE", id="without parentheses"),
        pytest.param("selec a from t", "syntax error", id="no statement"),
        pytest.param("show warehouses in t", "syntax error", id="half understood"),
        pytest.param("select (a from t", "syntax error", id="a missing parenthesis"),
        pytest.param("select greatest(a, 1) from t", "greatest", id="greatest"),
        pytest.param("select least(a, 1) from t", "least", id="least"),
        pytest.param("select concat('a', b) from t", "concat", id="concat"),
        pytest.param("select datediff('hour', a, b) from t", "datediff", id="datediff"),
        pytest.param("select timestampdiff(hour, a, b) from t", "datediff", id="timestampdiff of hours"),
        pytest.param("select date_trunc('week', a) from t", "date_trunc", id="date_trunc"),
        pytest.param("select date_trunc(week, cast(a as date)) from t", "date_trunc", id="date_trunc of a date"),
        pytest.param("select a from t order by a desc", "desc", id="desc at the end"),
        pytest.param("select row_number() over (order by a desc, b) from t", "desc", id="desc in a window"),
        pytest.param("select a / b from t", "division", id="one column by another"),
        pytest.param("select 7 / 2", "division", id="one whole number by another"),
        pytest.param("select cast(a as timestamp_tz) from t", "zone", id="an instant with a zone"),
        pytest.param("select cast(a as timestamp_ltz) from t", "zone", id="an instant of the session's zone"),
        pytest.param("select try_cast(a as integer) from t", "try_cast", id="try_cast"),
        pytest.param("select a from t group by grouping sets ((), (a))", "syntax error", id="an empty grouping set"),
        pytest.param(
            "select sum(case when a in (select b from u) then 1 end) from t", "subquery", id="IN within an aggregate"
        ),
    ],
)
def test_sql_missing_or_different_on_snowflake_is_found(sql: str, said: str) -> None:
    assert any(said in each for each in findings(sql))


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("select a || 'b' from t", id="bars, which know nothing where one side is unknown"),
        pytest.param("select a from t group by a order by count(*) desc, a", id="desc of a count"),
        pytest.param("select try_cast(reported_cost_usd as decimal(38, 12)) from t", id="try_cast of a raw text"),
        pytest.param("select timestampdiff(microsecond, a, b) / 3.6e9 from t", id="by a double"),
        pytest.param("select cast(a as double) / 100 / 12 from t", id="a double by whole numbers"),
        pytest.param("select a from t order by a desc nulls last, b", id="desc with nulls"),
        pytest.param("select sum(a) from t where a in (select b from u)", id="a subquery of IN in WHERE"),
        pytest.param("select a, b, sum(c) from t group by grouping sets ((a), (a, b))", id="grouping sets"),
        pytest.param("select case when a > 1 and b then 1 end from t", id="no functions"),
    ],
)
def test_sql_with_same_meaning_has_no_findings(sql: str) -> None:
    assert findings(sql) == []
