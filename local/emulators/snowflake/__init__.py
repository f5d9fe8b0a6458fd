"""An emulator of Snowflake for tests: fakesnow, which runs its SQL on DuckDB, and what Snowflake would refuse."""

from emulators.snowflake.provisioning import provision
from emulators.snowflake.server import FACTS, SUBSTITUTES, end_sessions, private_key, serving

__all__ = ["FACTS", "SUBSTITUTES", "end_sessions", "private_key", "provision", "serving"]
