"""Compares the store with mailboxes, and sets right what differs."""
