"""Sweeps and gates in parts: who does what, what each hands over, and what all of it comes to."""
