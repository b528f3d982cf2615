"""The commits of a runbook: one for each phase, each saying in its trailers what the phase found.

They lie on a private ref until the seal. A session that is resumed believes those that were made
from this base, these settings and these tags, in the order of the phases, and nothing after the
first that was not.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest_cockpit
from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.git import Repository
from pytest_cockpit.records import artifacts, text
from pytest_cockpit.sessions.letters import trailers

REF = "refs/cockpit/runbook"
_SUBJECT = 72
_NONE = "-"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a runbook was begun with; one that is resumed keeps to it."""

    base: str
    settings_sha256: str
    baseline_tag: str
    tag: str

    @property
    def runbook_id(self) -> str:
        """Start of the base, and start of the digest of all that the runbook depends on."""
        asked = {
            "base": self.base,
            "settings": self.settings_sha256,
            "tags": [self.baseline_tag, self.tag],
            "version": pytest_cockpit.__version__,
        }
        return f"{self.base[:7]}-{artifacts.sha256(artifacts.canonical_line(asked))[:8]}"


@dataclass(frozen=True, slots=True)
class Done:
    """A phase that has ended.

    Parameters
    ----------
    summary: one line.
    at: when, in UTC.
    wall_s, cpu_s: how long it took, in milliseconds' steps; None where the clock was fixed.
    gates: verdicts of the gates that judged the tree before it, by name.
    """

    phase: str
    verdict: Verdict
    summary: str
    at: str
    wall_s: float | None
    cpu_s: float | None
    facts: Mapping[str, Any] = field(default_factory=dict)
    gates: Mapping[str, Verdict] = field(default_factory=dict)
    commit: str = ""


def message(identity: Identity, done: Done) -> str:
    """What a phase's commit says."""
    summary = done.summary
    subject = f"runbook({done.phase}): {summary}"
    whole = []
    if len(subject) > _SUBJECT:
        subject, whole = f"{subject[: _SUBJECT - 1].rstrip()}…", [summary, ""]
    lines = [
        subject,
        "",
        *whole,
        f"Runbook-Id: {identity.runbook_id}",
        f"Runbook-Base: {identity.base}",
        f"Runbook-Settings: {identity.settings_sha256}",
        f"Runbook-Tags: {identity.baseline_tag} {identity.tag}",
        f"Runbook-Phase: {done.phase}",
        f"Runbook-Verdict: {done.verdict}",
        f"Runbook-Summary: {summary}",
        f"Runbook-At: {done.at}",
        f"Runbook-Seconds: {_seconds(done.wall_s)} {_seconds(done.cpu_s)}",
        f"Runbook-Facts: {artifacts.canonical_line(dict(done.facts)).decode().strip()}",
        *(f"Gate-{name.title()}: {verdict}" for name, verdict in sorted(done.gates.items())),
    ]
    return "\n".join(lines) + "\n"


def begun(repository: Repository) -> Identity | None:
    """What the runbook on the private ref was begun with; None where there is none."""
    tip = repository.ref(REF)
    if tip is None:
        return None
    said = _said(_raw(repository, tip).partition("\n\n")[2])
    tags = said.get("Runbook-Tags", "").split(" ")
    base, settings = said.get("Runbook-Base", ""), said.get("Runbook-Settings", "")
    if len(tags) != 2 or not settings or not _there(repository, base):  # noqa: PLR2004 - two tags
        raise CockpitError(f"{REF}: is no runbook's; remove it: git update-ref -d {REF}")
    return Identity(base, settings, *tags)


def read(repository: Repository, identity: Identity, phases: Sequence[str]) -> list[Done]:
    """The phases that the private ref vouches for, from the first."""
    tip = repository.ref(REF)
    if tip is None:
        return []
    listed = repository.run("rev-list", "--reverse", tip, f"^{identity.base}").stdout.decode()
    found: list[Done] = []
    for phase, commit in zip(phases, listed.split(), strict=False):
        parent = found[-1].commit if found else identity.base
        done = parsed(_raw(repository, commit), identity, phase=phase, parent=parent)
        if done is None:
            break
        found.append(dataclasses.replace(done, commit=commit))
    return found


def parsed(raw: str, identity: Identity, *, phase: str, parent: str) -> Done | None:
    """What a commit says of a phase; None where it is not that phase of this runbook."""
    header, _, body = raw.partition("\n\n")
    parents = [line for line in header.splitlines() if line.startswith("parent ")]
    said = _said(body)
    asked = {"Runbook-Id": identity.runbook_id, "Runbook-Phase": phase}
    if parents != [f"parent {parent}"] or not asked.items() <= said.items():
        return None
    try:
        verdict = Verdict(said["Runbook-Verdict"])
        if not (verdict.opens or verdict is Verdict.SKIP):
            return None
        wall, cpu = map(_number, said["Runbook-Seconds"].split(" "))
        return Done(
            phase,
            verdict,
            said["Runbook-Summary"],
            said["Runbook-At"],
            wall,
            cpu,
            dict(text.parse(said["Runbook-Facts"].encode()).items()),
            {
                key.removeprefix("Gate-").lower(): Verdict(value)
                for key, value in said.items()
                if key.startswith("Gate-")
            },
        )
    except (KeyError, ValueError, AttributeError):
        return None


def _there(repository: Repository, base: str) -> bool:
    """Whether this is the whole id of a commit that this clone has."""
    if not re.fullmatch(r"[0-9a-f]{40}([0-9a-f]{24})?", base):
        return False
    return not repository.run("cat-file", "-e", f"{base}^{{commit}}", check=False).returncode


def _raw(repository: Repository, commit: str) -> str:
    return repository.run("cat-file", "commit", commit).stdout.decode("utf-8", "replace")


def _said(body: str) -> dict[str, str]:
    pairs = (line.partition(": ") for line in trailers(body))
    return {key: value for key, _, value in pairs}


def _seconds(value: float | None) -> str:
    return _NONE if value is None else f"{value:.3f}"


def _number(word: str) -> float | None:
    if word == _NONE:
        return None
    if not re.fullmatch(r"[0-9]{1,9}\.[0-9]{3}", word):
        raise ValueError(word)
    return float(word)
