"""The emulator's grammar of Snowflake: what it refuses by default, with which number, and what each form cites."""

import re

import pytest

from emulators.snowflake.grammar import Grammar, refusal
from emulators.snowflake.grammar_table import Form, forms

pytestmark = pytest.mark.fast

COPY = "COPY INTO t FROM @s FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE {} BINARY_AS_TEXT = FALSE)"
PAGE = re.compile(r"https://docs\.snowflake\.com/en/(sql-reference|user-guide)/[a-z0-9_/-]+")


@pytest.mark.parametrize("form", [pytest.param(form, id=str(form)) for form in forms()])
def test_form_cites_a_page_and_its_sentence(form: Form) -> None:
    assert PAGE.fullmatch(form.page)
    assert len(form.sentence.split()) >= 2
    assert bool(form.node) + bool(form.function) + bool(form.command) == 1


@pytest.mark.parametrize(
    ("sql", "errno", "sqlstate"),
    [
        pytest.param("selec a from t", 1003, "42000", id="no statement"),
        pytest.param("select (a from t", 1003, "42000", id="a missing parenthesis"),
        pytest.param("", 8, "0A000", id="nothing"),
        pytest.param("select 1; select 2", 8, "0A000", id="two statements"),
        pytest.param("select epoch_us(a) from t", 2140, "42601", id="a function of DuckDB"),
        pytest.param("select a from t where read_csv(b)", 2140, "42601", id="a function within a clause"),
        pytest.param("select distinct on (a) a, b from t", 1003, "42000", id="distinct on"),
        pytest.param("insert into t values (1) on conflict do nothing", 1003, "42000", id="on conflict"),
        pytest.param("insert into t values (1) returning a", 1003, "42000", id="returning"),
        pytest.param("update t set a = 1 limit 2", 1003, "42000", id="limit of an update"),
        pytest.param("select a from t using sample 10", 1003, "42000", id="a sample of DuckDB"),
        pytest.param("select cast(a as hugeint) from t", 1003, "42000", id="a type of DuckDB"),
        pytest.param("select a from t1 semi join t2 on t1.a = t2.a", 1003, "42000", id="a semi join"),
        pytest.param("pragma show_tables", 1003, "42000", id="a pragma"),
        pytest.param("attach 'x.duckdb'", 1003, "42000", id="attach"),
        pytest.param("create index i on t (a)", 1003, "42000", id="an index"),
        pytest.param("create table if not exists t as select 1 as a", 1003, "42000", id="if not exists as select"),
        pytest.param("create table t as select 1 as a, 2 as a", 2025, "42S21", id="a column twice"),
        pytest.param("select a from t group by grouping sets ((), (a))", 1003, "42000", id="an empty grouping set"),
        pytest.param("select sum(case when a in (select b from u) then 1 end) from t", 2031, "42601", id="in in sum"),
        pytest.param("select count(exists (select 1 from u)) from t", 2031, "42601", id="exists within count"),
        pytest.param("select max((select b from u where u.a = t.a)) from t", 2031, "42601", id="correlated within max"),
        pytest.param("select 1 from t where a = (select b from u where u.a = t.a limit 1)", 2031, "42601", id="limit"),
        pytest.param("select 1 from t as x, u as x", 2027, "42601", id="an alias twice"),
        pytest.param(COPY.format(""), 1003, "42000", id="a scanner that is not stated"),
        pytest.param("copy into t from @s file_format = (format_name = 'f')", 1003, "42000", id="a named format"),
        pytest.param("copy into t from @s", 1003, "42000", id="no format"),
        pytest.param("alter warehouse w set warehouse_size = large", 1003, "42000", id="a command that is not listed"),
        pytest.param("create table a.b copy grants clone c.d", 1003, "42000", id="copy grants before clone"),
    ],
)
def test_statement_outside_the_table_is_refused_with_its_number(sql: str, errno: int, sqlstate: str) -> None:
    refused = refusal(sql)
    assert refused is not None
    assert (refused.errno, refused.sqlstate) == (errno, sqlstate)


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("select a::number(38, 0) from t", id="a cast by colons"),
        pytest.param("delete from t as x using u as y where x.a = y.a", id="an alias of the target of delete"),
        pytest.param("update t as x set a = 1 where x.b = 2", id="an alias of the target of update"),
        pytest.param("/* a comment; of dbt */\nselect 1;", id="a comment and a semicolon"),
        pytest.param("begin; /* a comment of dbt */", id="a comment behind the semicolon"),
        pytest.param("select sum(a * (select max(b) from u)) from t", id="an uncorrelated scalar within sum"),
        pytest.param("select a in (select b from u) from t", id="in within a select list"),
        pytest.param("select a from t where a in (select b from u limit 3)", id="an uncorrelated limit"),
        pytest.param("select a from t as x, t as y", id="one table by two aliases"),
        pytest.param("select a from db1.s1.t join db1.s2.t on t.b = 1", id="two tables of one name"),
        pytest.param(COPY.format("USE_VECTORIZED_SCANNER = TRUE"), id="all four options"),
        pytest.param("copy into t from @s file_format = (type = csv skip_header = 1)", id="no Parquet"),
        pytest.param("create table t as select 1 as a, 2 as b, * from u", id="columns of several names"),
    ],
)
def test_statement_of_the_table_is_accepted(sql: str) -> None:
    assert refusal(sql) is None


def test_grammar_without_forms_refuses_every_statement() -> None:
    assert Grammar(()).refusal("select 1") is not None
    assert Grammar(()).refusal("show transactions") is not None


def test_syntax_error_names_line_and_position() -> None:
    refused = refusal("select a\nfrom t semi join u on t.a = u.a")
    assert refused is not None
    assert "syntax error line 2 at position 7 unexpected 'SEMI'" in refused.message
