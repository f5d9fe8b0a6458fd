"""The table of what the coding agents of this machine used, straight from the collector's store."""
