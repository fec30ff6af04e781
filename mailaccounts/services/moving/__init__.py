"""An account moves to another way of signing in, with proof, and back if need be."""
