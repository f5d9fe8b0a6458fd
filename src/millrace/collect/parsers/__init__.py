"""Usage of coding agents, read from the logs they keep: one event per response and per prompt."""
