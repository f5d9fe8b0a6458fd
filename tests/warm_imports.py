"""The imports of commands, for the process from which they are forked: see tests/warm.py. It starts no thread."""

import gc

import dbt.cli.main  # noqa: F401

import millrace.cli.main
import millrace.laptop.export
import millrace.laptop.rebuild
import millrace.laptop.run
import millrace.laptop.server
import millrace.laptop.status
import millrace.laptop.usage_pipeline  # noqa: F401
import run_all  # noqa: F401

gc.collect()
gc.freeze()  # so that no command copies the memory that it shares with this process
