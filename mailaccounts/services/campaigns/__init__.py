"""Many accounts move."""
