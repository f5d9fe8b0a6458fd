"""DuckDB as the warehouse."""
