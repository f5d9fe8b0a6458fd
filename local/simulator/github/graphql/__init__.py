"""GraphQL over the cut of GitHub's schema."""
