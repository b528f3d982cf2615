"""Runs of a tree's tests under coverage: their configuration, their children, what these left."""

from __future__ import annotations

from pathlib import Path

CHILD = Path(__file__).parent / "child"
"""Folder of what runs in the repository's interpreter."""
