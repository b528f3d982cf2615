"""Freezes: a tag, and a manifest of digests that can be verified and restored."""
