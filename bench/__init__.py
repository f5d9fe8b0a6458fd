"""Measurements against floors taken in the same run: `make bench`. Nothing here is asserted; tests never time."""
