"""An emulator of Snowflake for tests: fakesnow, which runs its SQL on DuckDB, and what Snowflake would refuse."""

from emulators.snowflake.server import FACTS, SUBSTITUTES, private_key, provision, serving

__all__ = ["FACTS", "SUBSTITUTES", "private_key", "provision", "serving"]
