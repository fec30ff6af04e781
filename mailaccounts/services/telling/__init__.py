"""Owners, operators, the host and its webhook are told."""
