"""Organisations that open their mailboxes to us."""
