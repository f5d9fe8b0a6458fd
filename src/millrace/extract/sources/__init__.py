"""Sources: one folder per source."""
