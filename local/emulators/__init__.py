"""Stand-ins for Google Cloud on this machine, which the real client libraries talk to over real sockets."""
