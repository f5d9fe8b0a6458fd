"""The objects on Snowflake besides the raw tables: the schema META, which Terraform creates from an export of this.

The raw tables are not here: the loader creates and owns them, because only the owner of a table may add a column to it.
Neither is the view META.SOURCE_WINDOWS over one of them, which is made after it (see staging.RawTables).
"""

SCHEMAS = ("RAW", "META", "STAGING", "INTERMEDIATE", "MART", "PUBLISHED")
LAKE, DROPS = "META.LAKE", "META.DROPS"
"""The external stage over `raw/` of the lake, and the internal one for files that were checked here."""

META = {
    # ORDER: without it a later load could draw a smaller number, and a mart that follows the numbers would miss it.
    "LOAD_SEQ": "CREATE SEQUENCE IF NOT EXISTS META.LOAD_SEQ START = 1 INCREMENT = 1 ORDER",
    "LOADS": """CREATE TABLE IF NOT EXISTS META.LOADS (
    BUCKET VARCHAR, NAME VARCHAR, GENERATION NUMBER(38, 0), TABLE_NAME VARCHAR, RUN_ID VARCHAR,
    EXTRACTED_AT TIMESTAMP_NTZ(6), ROWS_READ NUMBER(38, 0), ROWS_INSERTED NUMBER(38, 0), ROWS_UPDATED NUMBER(38, 0),
    ROWS_UNCHANGED NUMBER(38, 0), ROWS_SUPERSEDED NUMBER(38, 0), ROWS_QUARANTINED NUMBER(38, 0),
    QUARANTINE_REASON VARCHAR, LOAD_SEQ NUMBER(38, 0), LOADED_AT TIMESTAMP_NTZ(6)
)""",
    "BUILDS": """CREATE TABLE IF NOT EXISTS META.BUILDS (
    NUMBER NUMBER(38, 0), TOKEN NUMBER(38, 0), HOLDER VARCHAR, REQUESTED_LOAD_SEQ NUMBER(38, 0),
    BUILT_THROUGH NUMBER(38, 0), AS_OF TIMESTAMP_NTZ(6), STARTED_AT TIMESTAMP_NTZ(6), FINISHED_AT TIMESTAMP_NTZ(6),
    RESULT VARCHAR, SECONDS DOUBLE, NODES VARCHAR
)""",
    # The last change in each incremental mart, and the former keys of changed events: tables of dbt.
    "MART_WATERMARKS": """CREATE TABLE IF NOT EXISTS META.MART_WATERMARKS (
    MART_NAME VARCHAR, LOAD_SEQ NUMBER(38, 0), DEFINITION VARCHAR, REFRESHED_AT TIMESTAMP_NTZ(6)
)""",
    "USAGE_OLD_KEYS": """CREATE TABLE IF NOT EXISTS META.USAGE_OLD_KEYS (
    DAY DATE, USER_ID VARCHAR, PROJECT VARCHAR, AGENT VARCHAR, PROVIDER VARCHAR, MODEL VARCHAR, SPEED VARCHAR,
    SESSION_ID VARCHAR, LOAD_SEQ NUMBER(38, 0)
)""",
    # The write lock: a transaction that updates its row holds the lock until it ends; all others wait. It is created
    # empty, because a statement that writes a row needs a warehouse, and Terraform has none.
    "TURN": "CREATE TABLE IF NOT EXISTS META.TURN (TAKEN_AT TIMESTAMP_NTZ(6))",
    # The build that readers see in PUBLISHED; no row before the first.
    "PUBLISHED": "CREATE TABLE IF NOT EXISTS META.PUBLISHED (NUMBER NUMBER(38, 0), TOKEN NUMBER(38, 0))",
}
ADDED = {
    "BUILDS.PROJECT_HASH": "ALTER TABLE META.BUILDS ADD COLUMN IF NOT EXISTS PROJECT_HASH VARCHAR",
    "LOADS.CRC32C": "ALTER TABLE META.LOADS ADD COLUMN IF NOT EXISTS CRC32C VARCHAR",
    "MART_WATERMARKS.MART_KEYS": "ALTER TABLE META.MART_WATERMARKS ADD COLUMN IF NOT EXISTS MART_KEYS VARCHAR",
    "USAGE_OLD_KEYS.EVENT_ID": "ALTER TABLE META.USAGE_OLD_KEYS ADD COLUMN IF NOT EXISTS EVENT_ID VARCHAR",
    "USAGE_OLD_KEYS.REPOSITORY": "ALTER TABLE META.USAGE_OLD_KEYS ADD COLUMN IF NOT EXISTS REPOSITORY VARCHAR",
}
"""The columns of later releases, for an account that has the tables already; they run after `META`."""
