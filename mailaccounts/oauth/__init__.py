"""The oauth room: obtains tokens from identity providers. Knows no Django."""
