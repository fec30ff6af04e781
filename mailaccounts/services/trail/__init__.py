"""What was done and who looked, as it is noted; mail opened for a reason is among it."""
