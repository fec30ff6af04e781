"""Writes, sends and follows messages."""
