"""`python -m millrace` is the command `millrace`."""

from millrace.cli import entry

if __name__ == "__main__":
    entry()
