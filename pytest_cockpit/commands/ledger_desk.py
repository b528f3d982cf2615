"""The ledger of the checkout that a command was given in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_cockpit.api import CockpitError

if TYPE_CHECKING:
    from pytest_cockpit.config import Config
    from pytest_cockpit.git import Repository
    from pytest_cockpit.records.ledger_git import Git
    from pytest_cockpit.records.signed_note import Verifier


@dataclass(frozen=True, slots=True)
class Desk:
    """A repository, its configuration, and where its ledger is."""

    repository: Repository
    config: Config
    settings: Mapping[str, Any]
    name: str

    @property
    def root(self) -> Path:
        """The checkout."""
        return self.repository.root

    @property
    def path(self) -> Path:
        """The ledger's file."""
        return self.root / self.name

    @property
    def git(self) -> Git:
        """Its content in git."""
        from pytest_cockpit.records.ledger_git import Git

        return Git(self.root)

    def rows(self) -> list[dict[str, Any]]:
        """The ledger's rows."""
        from pytest_cockpit.records import ledger

        return ledger.rows(self.path.read_bytes()) if self.path.is_file() else []

    def base(self) -> str | None:
        """The commit that is checked out."""
        return self.repository.resolve("HEAD") if self.repository.ref("HEAD") else None

    def verifiers(self) -> list[Verifier]:
        """The configured keys."""
        from pytest_cockpit.records import ledger_keys
        from pytest_cockpit.records.signed_note import NoteError

        found = []
        for key in self.settings.get("keys", ()):
            try:
                found.append(ledger_keys.verifier(key))
            except NoteError as error:
                raise CockpitError(f"gate.ledger.keys: {error}; correct it") from None
        return found

    def inside(self, text: str) -> str:
        """A path as the ledger has it, counted from the repository's root."""
        whole = Path(os.path.normpath(Path.cwd() / text))
        if not whole.is_relative_to(self.root) or ".git" in whole.relative_to(self.root).parts:
            raise CockpitError(f"{text}: lies outside {self.root}; name a file of the repository")
        return whole.relative_to(self.root).as_posix()


def at_hand() -> Desk:
    """The ledger of the folder that this process works in.

    Raises
    ------
    CockpitError: there is no repository, or its ledger lies elsewhere.
    """
    from pytest_cockpit import config
    from pytest_cockpit.git import Repository
    from pytest_cockpit.records import ledger_content

    repository = Repository.discover(Path.cwd())
    chosen = config.load(repository.root)
    settings = chosen.gate.get("ledger", {})
    name = chosen.ledger
    if ledger_content.linked(repository.root, name):
        raise CockpitError(f"{name}: a link leads elsewhere; put a file of its own there")
    return Desk(repository, chosen, settings, name)
