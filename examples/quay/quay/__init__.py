"""A container terminal."""
