"""The load function: object events, dropped files, quarantine, sweep."""
