"""Height of the water."""
