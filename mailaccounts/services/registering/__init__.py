"""App registrations at identity providers: found, tried, and warned about before their secret ends."""
