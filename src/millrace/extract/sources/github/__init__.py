"""GitHub: repositories, pull requests with their reviews, commits and events, and commits of the default branch."""
