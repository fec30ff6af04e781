"""Push: notices at once when something changes in a mailbox."""
