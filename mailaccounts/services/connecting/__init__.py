"""An account is connected, and disconnected."""
