"""Globs of lane paths, as the configuration has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pytest_cockpit.records.globs import begins, split


def matcher(globs: Iterable[str], folder: str) -> Callable[[str], bool]:
    """A function that says whether a path matches any of the globs.

    `*` and `?` stay within one name, `**` crosses folders, and a glob that matches a folder
    matches all below it. A glob may count from the repository or from `folder`.
    """
    patterns = [split(glob) for glob in globs]
    prefix = f"{folder}/"

    def matches(path: str) -> bool:
        spelled = [path.split("/")]
        if path.startswith(prefix):
            spelled.append(path[len(prefix) :].split("/"))
        return any(begins(parts, pattern) for parts in spelled for pattern in patterns if pattern)

    return matches
