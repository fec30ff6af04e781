"""Brings in the mail of an account: contacts first, headers before bodies."""
