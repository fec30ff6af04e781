"""Signing in to mail servers: credentials, access tokens, and the test of a connection."""
