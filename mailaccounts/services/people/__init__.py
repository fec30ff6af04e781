"""Whom the host knows, and what follows for stored mail when that changes."""
