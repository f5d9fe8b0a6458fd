"""The checks of `make preflight` and `make smoke`: what a deployment needs, and whether its first run ends well."""
