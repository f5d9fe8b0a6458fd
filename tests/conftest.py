"""What tests of several folders need."""

from collections.abc import Iterator

import pytest

from emulators import snowflake


@pytest.fixture(scope="session")
def snowflake_at() -> Iterator[str]:
    """Where the stand-in for Snowflake is."""
    with snowflake.serving() as where:
        yield where
