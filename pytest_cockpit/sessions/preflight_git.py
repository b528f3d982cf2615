"""What a first promotion needs of git: a clean and whole repository, and a remote to push to."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_cockpit.git import masked
from pytest_cockpit.items import Outcome
from pytest_cockpit.process import Completed
from pytest_cockpit.records.text import one_line
from pytest_cockpit.sessions import words
from pytest_cockpit.sessions.examining import Check, Scene, failed, named, passed, skipped
from pytest_cockpit.sessions.settings import uncommitted

# What a push needs and nothing else: no tags, no submodules, and no ref is written.
_TRY = ("push", "--dry-run", "--porcelain", "--no-follow-tags", "--recurse-submodules=no")


class Git:
    """Checks of the repository and its remote."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.repository = scene.repository
        self.remote = scene.settings.seal.remote

    def checks(self) -> Iterator[Check]:
        """All of them."""
        yield Check("git/clean", self._clean)
        yield Check("git/history", self._history)
        yield Check("git/remote", self._reached)
        yield Check("git/push", self._push)

    def _clean(self) -> Outcome:
        dirty = uncommitted(self.repository, self.scene.settings)
        if dirty:
            return failed(
                f"{words.count(len(dirty), 'uncommitted path')}: {named(dirty)}",
                "commit them or set them aside: a batch is made from commits alone",
            )
        return passed(f"nothing uncommitted; HEAD is {self.scene.head[:12]}")

    def _history(self) -> Outcome:
        if self.repository.is_shallow():
            return failed("the history is cut off here", "git fetch --unshallow")
        counted = self.repository.run("rev-list", "--count", self.scene.head).stdout.decode()
        return passed(words.count(int(counted), "commit"))

    def _reached(self) -> Outcome:
        if not self._configured():
            return skipped(self._none())
        done = self.repository.run("ls-remote", "--heads", "--", self.remote, check=False)
        if done.returncode:
            return failed(
                f"{self.remote}: {_said(done)}", "repair the remote, or set seal.remote to another"
            )
        heads = done.stdout.count(b"\n")
        return passed(f"{self.remote} answers: {heads} branch{'' if heads == 1 else 'es'}")

    def _push(self) -> Outcome:
        if not self._configured():
            return skipped(self._none())
        branch = f"refs/heads/{self.scene.settings.seal.branch_prefix}preflight"
        done = self.repository.run(*_TRY, "--", self.remote, f"HEAD:{branch}", check=False)
        if done.returncode:
            return failed(
                f"{self.remote} takes no branch such as {branch}: {_said(done)}",
                "get the right to push branches, or promote with --cockpit-skip-pr",
            )
        return passed(f"{self.remote} would take a branch (tried without pushing one)")

    def _configured(self) -> bool:
        return bool(self.remote) and self.repository.remote_url(self.remote) is not None

    def _none(self) -> str:
        return f"no remote {self.remote!r} is configured: batches stay in this repository"


def _said(done: Completed) -> str:
    lines = done.stderr.decode("utf-8", "backslashreplace").strip().splitlines()
    telling = [line for line in lines if line.startswith(("fatal: ", "error: ", "remote: "))]
    return masked(one_line([*telling[:1], *lines[-1:], f"exit code {done.returncode}"][0]))
