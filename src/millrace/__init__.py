"""Millrace: what AI-assisted development does and costs, in marts a team can trust."""
