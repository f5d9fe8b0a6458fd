"""The command `millrace`: one module per subcommand, and shared modules."""
