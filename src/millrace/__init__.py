"""Millrace: the effects and costs of AI-assisted development, in marts a team can trust."""
