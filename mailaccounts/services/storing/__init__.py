"""Keeps the store in step: conversations, places, folders, summaries, search."""
