"""The source APIs: one HTTP client, and complete listings over it."""
