"""`python -m simulator`: see `--help`."""

import sys

from simulator.cli import main

sys.exit(main(sys.argv[1:]))
