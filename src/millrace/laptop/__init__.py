"""The pipeline on one machine: the functions in this process, a folder for the bucket, DuckDB for the warehouse."""
