"""What a change is compared with: the commit that a hook or a pipeline starts from."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.git import Repository
from pytest_cockpit.records.artifacts import os_error


def head(repository: Repository) -> str:
    """The commit that is checked out; where there is none yet, the tree without files."""
    told = repository.run("rev-parse", "--verify", "-q", "HEAD^{commit}", check=False)
    if told.returncode:
        told = repository.run("hash-object", "-t", "tree", "--stdin", input=b"")
    return told.stdout.decode("ascii").strip()


def index(repository: Repository, environ: Mapping[str, str]) -> str:
    """The tree that would be committed.

    `git commit` names another index than the usual one when it commits less, or more, than that
    holds. What is written to the object store is what the commit itself will write.

    Raises
    ------
    CockpitError: the index cannot be read, or holds a conflict.
    """
    named = environ.get("GIT_INDEX_FILE")
    place = Path.cwd() / named if named else repository.git_dir() / "index"
    with tempfile.TemporaryDirectory(prefix="cockpit-") as folder:
        # Git would note in the index what it has worked out.
        copy = Path(folder, "index")
        try:
            copy.write_bytes(place.read_bytes())
        except FileNotFoundError:
            # Nothing was ever added.
            pass
        except OSError as error:
            raise os_error(place, "cannot read", error) from error
        told = repository.run("write-tree", env={"GIT_INDEX_FILE": str(copy)})
    return told.stdout.decode("ascii").strip()


def named(environ: Mapping[str, str]) -> str | None:
    """The revision that the variables of a pipeline name as what the change goes to.

    Raises
    ------
    CockpitError: the file that GitHub describes its event in is of no use.
    """
    if environ.get("GITHUB_ACTIONS") == "true":
        if environ.get("GITHUB_EVENT_NAME") == "merge_group":
            return _queued(environ.get("GITHUB_EVENT_PATH", ""))
        branch = environ.get("GITHUB_BASE_REF")
        return f"refs/remotes/origin/{branch}" if branch else None
    return environ.get("CI_MERGE_REQUEST_DIFF_BASE_SHA") or None


def _queued(path: str) -> str:
    """The commit that a group of a merge queue stands upon."""
    try:
        event: Any = json.loads(Path(path).read_bytes())
        return str(event["merge_group"]["base_sha"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CockpitError(
            "GITHUB_EVENT_PATH: names no event of a merge queue; say --base REV"
        ) from error
