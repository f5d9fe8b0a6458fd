"""The view `meta.source_windows`: whether all that a source has is here, as soon as it is loaded.

It has the rows of `raw.source_windows`, where a load keeps one for each source, account, object and window: the one
that was read last. The SQL is the same on DuckDB and on Snowflake. The mart `source_completeness` is a copy of this
view as of a build; docs/metrics.md has the rule.
"""

NAME = "source_windows"
"""The view, in the schema META."""

# A state that is no word of ours says nothing, and a part that lacks rows is not known. Rows that the source has
# removed since are not missing.
CREATE = """
    CREATE OR REPLACE VIEW meta.source_windows AS
    SELECT w.source, w.account, w.object, w.window AS window_id, w.name,
        CASE
            WHEN w.state IN ('provisional', 'unknown', 'refused') THEN w.state
            WHEN w.state IN ('known', 'known_empty') AND w.row_count < w.source_total THEN 'unknown'
            WHEN w.state IN ('known', 'known_empty') THEN w.state
            ELSE 'unknown'
        END AS state,
        w.row_count, w.source_total,
        CASE WHEN w.row_count > w.source_total THEN 0 ELSE w.source_total - w.row_count END AS missing,
        w.reason, w.settled_at, w.read_at, w._extracted_at AS extracted_at, w._run_id AS run_id,
        w._load_seq AS load_seq
    FROM raw.source_windows AS w"""
"""Creates it over the raw table, or replaces that of another version of this rule."""
