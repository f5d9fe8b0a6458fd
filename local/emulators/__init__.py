"""Emulators of Google Cloud on this machine, which the real client libraries reach over real sockets."""
