"""The collector: it reads the coding agents' logs on one machine, and adds what they used to the lake."""
