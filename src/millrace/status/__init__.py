"""How things are: one report for the commands and for the API."""
