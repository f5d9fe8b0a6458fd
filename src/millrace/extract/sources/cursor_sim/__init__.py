"""The source API that cursor-sim simulates."""
