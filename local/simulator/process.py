"""A simulator as a process: its parser of options, its one line of JSON, and what ends it."""

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from typing import NoReturn

from simulator.server import RunningSimulator


class Parser(argparse.ArgumentParser):
    """A parser that refuses options in one line."""

    def error(self, message: str) -> NoReturn:
        """Write one line, and exit with code 2."""
        sys.stderr.write(f"{self.prog}: {message}\n")
        sys.exit(2)


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a server."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one (default %(default)s)")
    parser.add_argument("--exit-with-parent", action="store_true", help="stop when stdin ends")


def serve_until_stopped(server: RunningSimulator, facts: Mapping[str, object], is_child: bool) -> None:
    """Write the URL with the facts, and serve until SIGTERM or SIGINT, for a child also until stdin ends."""

    def stop(signum: int, frame: object) -> None:
        threading.Thread(target=server.stop).start()  # `stop` waits for the loop that this thread runs

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if is_child:
        threading.Thread(target=at_end_of_input, args=(server.stop,), daemon=True).start()
    say({"url": server.url, **facts})
    server.serve_forever()
    server.close()


def at_end_of_input(stop: Callable[[], None]) -> None:
    """Call `stop` when stdin ends."""
    # Not by sys.stdin, whose lock this thread would hold when the interpreter ends.
    while os.read(0, 4096):
        pass
    stop()


def say(facts: Mapping[str, object]) -> None:
    """Write one line of JSON."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
