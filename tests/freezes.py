"""A repository with every kind of path, frozen as a session freezes it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pytest_cockpit import config
from pytest_cockpit.freeze import phase, tagging
from pytest_cockpit.git import Repository
from pytest_cockpit.phases import Place
from pytest_cockpit.promotion import transaction
from pytest_cockpit.promotion.transaction import Operation
from pytest_cockpit.records import ledger
from pytest_cockpit.seals import checkout, tag
from pytest_cockpit.sessions import changing

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
TAG = "v0.01-baseline"
LEDGER = ".cockpit/promotions.ndjson"
MANIFEST = "docs/_generated/BASELINE_FREEZE.json"
SUBMODULE = "0123456789" * 4
ODD = b'pier/caf\xe9 "quoted"\n.txt'


class Harbour:
    """The repository at a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def repository(self) -> Repository:
        return Repository.discover(self.root)

    @property
    def settings(self) -> config.Config:
        return config.load(self.root)

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, input=stdin, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return os.fsdecode(done.stdout).strip()

    def commit(self, message: str = "change") -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")
        return self.git("rev-parse", "HEAD")

    def place(self, commit: str = "HEAD") -> Place:
        oid = self.repository.resolve(commit)
        return Place(self.repository, self.settings, oid, oid, NOW)

    def freeze(
        self, name: str = TAG, kind: str = "baseline", **said: Sequence[tuple[str, str]]
    ) -> str:
        """Freeze `HEAD` and seal it; return the commit."""
        place = self.place()
        result = phase.run(place, kind=kind, tag=name, **said)
        message = phase.message(result.facts)
        commit = changing.commit(place, result.changes, message=message, ref="refs/cockpit/freeze")
        oid = tagging.made(place.repository, place.settings, name, commit, message)
        branch = place.repository.branch()
        assert branch is not None
        taken = checkout.take(
            place.repository, branch, place.commit, commit, tags={tag.ref_of(name): oid}
        )
        assert taken.done, taken.reason
        return commit

    def forge(
        self,
        writes: Sequence[Operation],
        *,
        base: str,
        name: str = TAG,
        message: str = "",
    ) -> str:
        """Put the tag on another commit of the same base, made by hand."""
        repository = self.repository
        said = message or self.git("tag", "--list", "--format=%(contents)", name)
        commit = transaction.build(
            repository, base, list(writes), message=said, ref="refs/cockpit/forged"
        )
        self.git(
            "tag", "--force", "--annotate", "--cleanup=verbatim", f"--message={said}", name, commit
        )
        return commit


def make(root: Path) -> Harbour:
    """A repository with files, an executable, links, a submodule and an odd name."""
    root.mkdir(parents=True)
    harbour = Harbour(root)
    harbour.git("init", "--quiet", "--initial-branch=main")
    harbour.git("config", "user.name", "Port")
    harbour.git("config", "user.email", "port@example.org")
    files = {"quay/berth.py": "BERTHS = 3\n", "quay/deep/pilot.py": "", "run.sh": "#!/bin/sh\n"}
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    (root / "run.sh").chmod(0o755)
    (root / "quay/link").symlink_to("deep/pilot.py")
    (root / "gone").symlink_to("no/such/../place")
    odd = Path(os.fsdecode(os.fsencode(root) + b"/" + ODD))
    odd.parent.mkdir()
    odd.write_bytes(b"\0\xff\r\n")
    harbour.git("update-index", "--add", "--cacheinfo", f"160000,{SUBMODULE},vendor/crane")
    (root / "vendor/crane").mkdir(parents=True)
    (root / LEDGER).parent.mkdir()
    (root / LEDGER).write_bytes(ledger.extend(b"", [{"kind": "opened", "base": "a" * 40}]))
    harbour.git("add", "--", "quay", "run.sh", "gone", "pier", LEDGER)
    harbour.git("commit", "--quiet", "--message=one")
    return harbour
