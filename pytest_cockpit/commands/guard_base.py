"""What a change is compared with: the commit that a hook or a pipeline starts from."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.git import GitError, Repository
from pytest_cockpit.records.artifacts import os_error

_ID = re.compile(r"\A[0-9a-f]{40,64}\Z")


@dataclass(frozen=True, slots=True)
class _Push:
    """A push: the commit that the branch was at, zeros for a new one, and the names of branches."""

    before: str
    branch: str
    default: str


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


def usual(repository: Repository, environ: Mapping[str, str]) -> str:
    """The commit to compare the working tree with where nobody names one.

    Raises
    ------
    CockpitError: this is a pipeline, and what it says leads to no commit before the change: a
    comparison of the change with itself could not fail.
    """
    request = named(environ)
    if request is not None:
        return repository.merge_base(request)
    if not in_pipeline(environ):
        return repository.resolve("HEAD")
    push = _pushed(environ)
    base = None if push is None else _before(repository, push)
    if base is None:
        raise CockpitError(
            "this pipeline names no commit to compare with that is in this clone; say --base REV, "
            "and check out with the whole history"
        )
    return base


def named(environ: Mapping[str, str]) -> str | None:
    """The revision that a pull request, a merge request or a merge queue goes to.

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


def in_pipeline(environ: Mapping[str, str]) -> bool:
    """Whether a forge or another service runs this, by the variables that they set."""
    names = ("CI", "GITHUB_ACTIONS", "GITLAB_CI")
    return any(environ.get(name, "").lower() not in {"", "0", "false"} for name in names)


def _queued(path: str) -> str:
    """The commit that a group of a merge queue stands upon."""
    try:
        [base] = _ID.findall(_event(path)["merge_group"]["base_sha"])
        return str(base)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CockpitError(
            "GITHUB_EVENT_PATH: names no event of a merge queue; say --base REV"
        ) from error


def _event(path: str) -> Any:
    return json.loads(Path(path).read_bytes())


def _pushed(environ: Mapping[str, str]) -> _Push | None:
    """What a push says of itself; None of all other events, and where it cannot be read."""
    if environ.get("GITHUB_ACTIONS") != "true":
        if environ.get("CI_PIPELINE_SOURCE") != "push":
            return None
        keys = ("CI_COMMIT_BEFORE_SHA", "CI_COMMIT_BRANCH", "CI_DEFAULT_BRANCH")
        return _Push(*(environ.get(key, "") for key in keys))
    if environ.get("GITHUB_EVENT_NAME") != "push":
        return None
    try:
        event = _event(environ.get("GITHUB_EVENT_PATH", ""))
        branch = str(event["ref"]).removeprefix("refs/heads/")
        return _Push(str(event["before"]), branch, str(event["repository"]["default_branch"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _before(repository: Repository, push: _Push) -> str | None:
    """The commit that the branch was at, or where a new or rewritten one left the default branch.

    The default branch did not leave itself: new or rewritten, it has nothing to be compared with.
    """
    try:
        # Nothing but an id: no name that the pipeline did not mean, and none of zeros.
        if _ID.fullmatch(push.before) and push.before.strip("0"):
            base = repository.merge_base(push.before)
            if base == push.before:
                return base
    except GitError:
        pass
    if push.branch == push.default or not push.default or not push.default.isprintable():
        return None
    try:
        return repository.merge_base(f"refs/remotes/origin/{push.default}")
    except GitError:
        return None
