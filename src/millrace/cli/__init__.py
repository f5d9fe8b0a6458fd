"""The command `millrace`: one module per verb, and what they share."""
