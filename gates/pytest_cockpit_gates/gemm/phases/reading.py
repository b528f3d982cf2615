"""Documents that a session names: read from below the root, and from nowhere else."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.gemm.strict.artifacts import parse

_LARGEST = 64 * 2**20


def within(root: Path, path: str) -> str:
    """A path as it is below the root.

    Raises
    ------
    CockpitError: it leads elsewhere.
    """
    where = one_line(path)
    try:
        # Not resolved: a link is named by its own name, and where it leads `content` looks.
        found = PurePosixPath(os.path.relpath(root / path, root))
    except ValueError as error:
        raise CockpitError(f"{where}: no path of a file; name one") from error
    if ".." in found.parts:
        raise CockpitError(
            f"{where}: outside the repository; copy it into the repository and name it there"
        )
    return found.as_posix()


def load(root: Path, path: str) -> Any:
    """The document at a path of the tree, NaN and infinities included.

    Raises
    ------
    CockpitError: as `content` and `parsed`.
    """
    return parsed(path, content(root, path))


def parsed(path: str, data: bytes) -> Any:
    """The value of a document.

    Raises
    ------
    CockpitError: it is no JSON.
    """
    try:
        return parse(data)
    except ValueError as error:
        raise CockpitError(
            f"{one_line(path)}: not JSON ({error}); name the artifact of a run"
        ) from error


def content(root: Path, path: str) -> bytes:
    """The bytes of a file of the tree.

    Raises
    ------
    CockpitError: it cannot be read, or lies outside the tree.
    """
    where = one_line(path)
    try:
        file = (root / path).resolve()
        if not file.is_relative_to(root.resolve()):
            raise CockpitError(
                f"{where}: outside the repository; copy it into the repository and name it there"
            )
        with file.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    except FileNotFoundError as error:
        pattern = "; a pattern with quotes around it is a name" if set(path) & set("*?[") else ""
        raise CockpitError(f"{where}: no such file; name the artifact of a run{pattern}") from error
    except IsADirectoryError as error:
        raise CockpitError(f"{where}: a folder; name the artifacts in it") from error
    except OSError as error:
        raise artifacts.os_error(Path(path), "cannot read", error) from error
    except (ValueError, RuntimeError) as error:
        raise CockpitError(f"{where}: no path of a file; name one") from error
    if len(data) > _LARGEST:
        raise CockpitError(f"{where}: larger than any artifact; name another file")
    return data
