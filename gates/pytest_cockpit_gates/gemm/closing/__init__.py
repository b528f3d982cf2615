"""Severity, decision, minutes and plots: what follows from an evaluation."""
