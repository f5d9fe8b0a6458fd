"""What a step raises when the account does not do what the project expects."""


class Unexpected(Exception):
    """An answer of the account that is not the expected one; its text has both."""


def expect(what: str, got: object, expected: object) -> None:
    """Raise Unexpected when two values differ."""
    if got != expected:
        raise Unexpected(f"{what}: expected {expected!r}, got {got!r}")
