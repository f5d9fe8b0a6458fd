"""A plugin of pytest: runs the cases of Snowflake in the database that the environment names, and no others."""

import os

import pytest
from tests.contract import on_snowflake
from tests.verify_snowflake.place import read

# Of the cases that only Snowflake has, those that neither read a folder as the bucket nor need another server.
OF_SNOWFLAKE = (
    "test_binary_column_of_a_dropped_file_keeps_its_bytes",
    "test_nested_values_of_any_shape_share_a_column_and_lose_nothing",
    "test_text_over_snowflake_limit_is_refused_as_too_large",
    "test_unsigned_decimal_and_date_keep_their_kinds",
)
_EMULATOR = "needs the emulator: a folder of this machine is its bucket, or its server is changed for the test"


def pytest_configure(config: pytest.Config) -> None:
    """Open every warehouse in the given database."""
    on_snowflake.use(read(os.environ))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the cases of DuckDB, and skip what an account cannot show."""
    kept = [item for item in items if is_of_snowflake(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept
    for item in items:
        if _is_of_one_engine(item) and getattr(item, "originalname", item.name) not in OF_SNOWFLAKE:
            item.add_marker(pytest.mark.skip(reason=_EMULATOR))


def is_of_snowflake(item: pytest.Item) -> bool:
    """Return whether a case runs on Snowflake."""
    callspec = getattr(item, "callspec", None)
    return _is_of_one_engine(item) or (callspec is not None and "snowflake" in map(str, callspec.params.values()))


def _is_of_one_engine(item: pytest.Item) -> bool:
    return item.path.name == "test_warehouse_snowflake.py"
