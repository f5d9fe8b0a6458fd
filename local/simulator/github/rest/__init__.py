"""The REST routes of GitHub that are simulated."""
