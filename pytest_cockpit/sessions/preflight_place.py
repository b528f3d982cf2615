"""What a first promotion needs of the place it runs in: gates, configuration, tools, room, time."""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

import pytest_cockpit
from pytest_cockpit import discovery, testing
from pytest_cockpit.api import CockpitError
from pytest_cockpit.items import Outcome
from pytest_cockpit.promotion import calendar, places
from pytest_cockpit.records.text import printable
from pytest_cockpit.sessions import words
from pytest_cockpit.sessions.examining import Check, Scene, failed, passed, unknown, warned
from pytest_cockpit.sessions.settings import load_checked, load_for_batch

OLDEST_GIT = (2, 31)
"""The first that follows one line of parents through merges in every listing that is asked for."""

_MIB = 1 << 20
_COPIES = 3
"""The private tree, its objects, and what gates leave beside them."""
_ROOM = 256 * _MIB


class Place:
    """Checks of the installation, the configuration and the machine."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.numbers: dict[str, Any] = {}

    def checks(self) -> Iterator[Check]:
        """All of them."""
        yield Check("configuration/valid", self._valid)
        yield Check("configuration/committed", self.committed)
        for name in self.scene.settings.gates:
            yield Check(f"gates/{name}", partial(self._gate, name))
        yield Check("environment/tools", self._tools)
        yield Check("environment/disk", self._disk)
        yield Check("environment/clock", self._clock)
        yield Check("calendar/today", self._today)

    def _valid(self) -> Outcome:
        try:
            load_checked(self.scene.repository.root, self.scene.config.option.cockpit_set)
        except CockpitError as error:
            return failed(str(error), "correct these settings")
        source = self.scene.settings.source
        return passed(source.name if source else "all defaults")

    def committed(self) -> Outcome:
        """Whether what is looked at is judged by settings that are in git."""
        overrides = self.scene.config.option.cockpit_set
        try:
            load_for_batch(self.scene.repository, self.scene.head, seals=True, overrides=overrides)
        except CockpitError as error:
            return failed(str(error), "commit the configuration")
        source = self.scene.settings.source
        if source is not None and self.scene.blob(source.name) is None:
            return failed(f"{source.name}: is not in {self.scene.head[:12]}", "commit it")
        return passed("the work tree's configuration is the commit's")

    def _gate(self, name: str) -> Outcome:
        found = discovery.gates().loaded.get(name)
        if found is None:
            return failed(f"{name} is not installed", "install it, or take it out of gates")
        proofs = list(found.gate.proofs())
        gaps = testing.check_proofs(found.gate)
        if gaps:
            return failed(f"{name}: {gaps[0]}", f"report it to the authors of {found.distribution}")
        lacking = sorted({module for proof in proofs for module in testing.lacking(proof)})
        said = f"{words.count(len(found.gate.rules), 'rule')}, {words.count(len(proofs), 'proof')}"
        if lacking:
            return warned(
                f"{said}; not installed: {', '.join(lacking)}",
                "pip install 'pytest-cockpit[all]', if the repository has what they are for",
            )
        return passed(f"{said}; pytest --cockpit-prove runs them")

    def _tools(self) -> Outcome:
        told = self.scene.repository.run("version").stdout.decode("utf-8", "replace").strip()
        versions = {
            "git": told.removeprefix("git version "),
            "python": platform.python_version(),
            "pytest": pytest.__version__,
            "pytest-cockpit": pytest_cockpit.__version__,
        }
        self.numbers["versions"] = versions
        said = ", ".join(f"{name} {version}" for name, version in versions.items())
        found = re.match(r"(\d+)\.(\d+)", versions["git"])
        if found is None:
            return unknown(f"git does not tell its version: {told!r}", "install a plain git")
        if (int(found[1]), int(found[2])) < OLDEST_GIT:
            oldest = ".".join(map(str, OLDEST_GIT))
            return failed(said, f"install git {oldest} or newer")
        return passed(said)

    def _disk(self) -> Outcome:
        listing = self.scene.repository.run("ls-tree", "-r", "-l", self.scene.head).stdout
        sizes = (line.split(maxsplit=4)[3] for line in listing.splitlines())
        tree = sum(int(size) for size in sizes if size.isdigit())
        wanted = _COPIES * tree + _ROOM
        common_dir = self.scene.repository.common_dir
        rooms = {
            folder: shutil.disk_usage(folder).free
            for folder in (common_dir, places.foreseen(common_dir))
        }
        least = min(rooms, key=lambda folder: rooms[folder])
        free = rooms[least]
        self.numbers["disk"] = {"free": free, "wanted": wanted, "tree": tree}
        said = f"{free // _MIB:,} MiB free, {wanted // _MIB:,} MiB wanted"
        if free < wanted:
            return failed(said, f"free some disk space on the disk of {printable(str(least))}")
        return passed(said)

    def _clock(self) -> Outcome:
        clock = self.scene.clock
        if clock.backwards:
            return failed(clock.told(), "set the clock; until then the later day counts as well")
        return passed(f"{clock.now:%Y-%m-%d %H:%M} UTC, not behind what is on record")

    def _today(self) -> Outcome:
        settings = self.scene.settings.calendar
        today = self.scene.clock.days(settings)
        shut = [calendar.closed(settings, day, burst=True) for day in today]
        closed = [one.because for one in shut if one is not None]
        if closed:
            return warned("; ".join(closed), "come back another day, or use --cockpit-force REASON")
        return passed(f"{calendar.named(today[-1])} in {settings.timezone}: batches and bursts")
