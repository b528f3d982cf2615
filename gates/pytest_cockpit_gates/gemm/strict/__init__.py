"""Strict evaluation: sound verdicts from raw samples."""
