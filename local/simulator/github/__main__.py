"""`python -m simulator.github`: see `--help`."""

import sys

from simulator.github.cli import main

sys.exit(main(sys.argv[1:]))
