"""Where the lane lies, where its files go, and what the paths are called as modules."""

from __future__ import annotations

import keyword
import unicodedata
from functools import cached_property, lru_cache

from pytest_cockpit.api import Lane

INIT = "__init__.py"


class Layout:
    """Paths and dotted names under one description of the lane."""

    def __init__(self, lane: Lane) -> None:
        """Read the lane's folder, its root and the source roots."""
        self.lane = lane
        self._prefix = _folder(lane.path)
        self._root = _folder(lane.root)
        # The longest first, so that `src/pkg/x.py` counts from `src` and not from `.`.
        self.sources = tuple(sorted(map(_folder, lane.source_roots), key=len, reverse=True))

    @cached_property
    def lane_module(self) -> str | None:
        """Dotted name of the lane's folder; None when it has none."""
        return self.module_of(f"{self._prefix}{INIT}")

    def is_lane(self, path: str) -> bool:
        """Whether the path lies below the lane's folder, whatever its suffix."""
        return path.startswith(self._prefix)

    def is_package(self, path: str) -> bool:
        """Whether the file is a package's `__init__.py`."""
        return path.rpartition("/")[2] == INIT

    def target_of(self, lane_path: str) -> str:
        """Where a lane file goes. Raises `ValueError` for a path outside the lane."""
        if not self.is_lane(lane_path):
            raise ValueError(f"{lane_path!r} is not below {self.lane.path!r}")
        return self._root + lane_path[len(self._prefix) :]

    def leaves_shim(self, lane_path: str) -> bool:
        """Whether a moved file leaves a shim behind.

        Test files do not: a test runner would collect the same tests under both paths.
        """
        name = lane_path.rpartition("/")[2]
        return not (name.startswith("test_") or name.endswith("_test.py"))

    def module_of(self, path: str) -> str | None:
        """Dotted name of a Python file, counted from the longest source root that holds it.

        None when it is no Python file, lies in no source root, is the `__init__.py` of a source
        root itself, or has a part that an import statement cannot spell.
        """
        if not path.endswith(".py"):
            return None
        source = next((root for root in self.sources if path.startswith(root)), None)
        if source is None:
            return None
        parts = path[len(source) : -len(".py")].split("/")
        if parts[-1] == "__init__":
            parts.pop()
        return ".".join(parts) if parts and all(map(is_name, parts)) else None


@lru_cache(maxsize=65536)
def is_name(part: str) -> bool:
    """Whether an import statement can spell this part of a dotted name."""
    return (
        part.isidentifier()
        and not keyword.iskeyword(part)
        and (part.isascii() or unicodedata.normalize("NFKC", part) == part)
    )


def _folder(path: str) -> str:
    """The prefix that paths below the folder have."""
    cleaned = path.strip("/")
    return "" if cleaned in {"", "."} else f"{cleaned}/"
