"""Forges: where a sealed branch becomes a pull request, and where verdicts are shown."""
