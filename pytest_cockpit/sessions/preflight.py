"""`--cockpit-preflight`: what a first promotion needs, looked at without changing anything."""

from __future__ import annotations

import pytest

from pytest_cockpit.sessions.examining import Check, ExaminingConductor, Scene
from pytest_cockpit.sessions.preflight_forge import Rules
from pytest_cockpit.sessions.preflight_git import Git
from pytest_cockpit.sessions.preflight_place import Place
from pytest_cockpit.sessions.preflight_records import Records

SCHEMA = "pytest-cockpit/preflight/1"


def conduct(config: pytest.Config) -> PreflightConductor:
    """Plan one item for each thing looked at."""
    return PreflightConductor(Scene.of(config))


class PreflightConductor(ExaminingConductor):
    """Looks at git, the forge, the gates, the records and the machine; writes artifacts alone."""

    def __init__(self, scene: Scene) -> None:
        self.place = Place(scene)
        self.records = Records(scene)
        groups = (Git(scene), Rules(scene), self.place, self.records)
        checks: list[Check] = [check for group in groups for check in group.checks()]
        super().__init__(scene, mode="preflight", checks=checks, title="preflight")

    def keep_document(self) -> None:
        """Write `preflight.json`: the items, and the numbers to compare with later."""
        self.measured()
        data = {
            "schema": SCHEMA,
            **self.document(),
            "tree": self.scene.repository.tree(self.scene.head),
            "settings_sha256": self.scene.settings.digest(),
            "numbers": {**self.place.numbers, **self.records.numbers},
        }
        self.keep(self.folder / "preflight.json", data, "preflight")
