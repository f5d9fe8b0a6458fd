"""Instants as GitHub writes them: text that is in the order of time."""


def happened(text: str | None) -> str | None:
    """Return when something happened; before 1990 it is unknown."""
    return None if text is None or text < "1990-01-01T00:00:00Z" else text
