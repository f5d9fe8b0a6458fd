"""The status of the pipeline: one report for the commands and for the API."""
