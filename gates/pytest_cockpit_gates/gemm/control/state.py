"""What a selector has learned, kept between processes: one file for each device.

A file that is torn, of another device, of another policy or of other kernels is no knowledge: the
selector starts anew and says why. Nobody waits for another process: while one holds the file, what
a second one learns is not kept, and it says so.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pytest_cockpit.api import JSON, CockpitError
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.schema import problems_by
from pytest_cockpit_gates.gemm.control.selector import Arm, Context

_SCHEMA_NAME = "pytest-cockpit/gemm-selector/2"
_COUNT: JSON = {"type": "integer", "minimum": 0}
_REASON: JSON = {"type": ["string", "null"]}
_ARM: JSON = {
    "type": "object",
    "required": ["pairs", "mean", "spread", "dropped"],
    "additionalProperties": False,
    "properties": {
        "pairs": _COUNT,
        # Logarithms: of more than these there is no power that a float holds.
        "mean": {"type": "number", "minimum": -100, "maximum": 100},
        "spread": {"type": "number", "minimum": 0, "maximum": 1e12},
        "dropped": _REASON,
    },
}
_CONTEXT: JSON = {
    "type": "object",
    "required": ["static", "kernels", "arms", "decisions", "served", "fallbacks", "disabled"],
    "additionalProperties": False,
    "properties": {
        "static": {"type": "string"},
        "kernels": {"type": "object", "additionalProperties": {"type": "string"}},
        "arms": {"type": "object", "additionalProperties": _ARM},
        "decisions": _COUNT,
        "served": _COUNT,
        "fallbacks": _COUNT,
        "disabled": _REASON,
    },
}
SCHEMA: JSON = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["schema", "fingerprint", "policy", "contexts"],
    "additionalProperties": False,
    "properties": {
        "schema": {"const": _SCHEMA_NAME},
        "fingerprint": {"type": "string"},
        "policy": {"type": "string"},
        "contexts": {"type": "object", "additionalProperties": _CONTEXT},
    },
}


@dataclass(slots=True)
class State:
    """What is on file for one device, while it is held.

    Parameters
    ----------
    path: the file.
    fingerprint, policy: of the device, and digest of what the selector was told.
    said: where the knowledge comes from: `loaded`, `new`, or why it was started anew.
    kept: whether `save` writes.
    """

    path: Path
    fingerprint: str
    policy: str
    said: str
    kept: bool = True
    contexts: dict[str, Any] = field(default_factory=dict)

    def context(self, size: str, static: str, kernels: Mapping[str, str]) -> Context:
        """What is known for a size of these variants, digests of their texts by id.

        The static choice is among them: what was learned against another one is worth nothing.
        """
        arms = {name: Arm() for name in kernels if name != static}
        found = self.contexts.get(size)
        if found is None:
            return Context(arms)
        same = found["static"] == static and found["kernels"] == kernels
        if not same or found["arms"].keys() != arms.keys():
            self.said = f"started anew: other kernels than those on file for {size}"
            return Context(arms)
        known = {name: Arm(**found["arms"][name]) for name in arms}
        counts = {key: found[key] for key in ("decisions", "served", "fallbacks", "disabled")}
        return Context(known, **counts)

    def save(self, size: str, static: str, kernels: Mapping[str, str], context: Context) -> None:
        """Keep what is known for a size.

        Raises
        ------
        CockpitError: the file cannot be written.
        """
        self.contexts[size] = {
            "static": static,
            "kernels": dict(kernels),
            "arms": {name: asdict(arm) for name, arm in context.arms.items()},
            "decisions": context.decisions,
            "served": context.served,
            "fallbacks": context.fallbacks,
            "disabled": context.disabled,
        }
        if self.kept:
            document = {
                "schema": _SCHEMA_NAME,
                "fingerprint": self.fingerprint,
                "policy": self.policy,
                "contexts": self.contexts,
            }
            artifacts.write(self.path, document)


@contextlib.contextmanager
def held(folder: Path, fingerprint: str, policy: str) -> Iterator[State]:
    """The state of a device, for this process alone until the end.

    Raises
    ------
    CockpitError: the folder cannot be written.
    """
    path = _path(folder, fingerprint)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise artifacts.os_error(folder, "cannot keep what a selector learns", error) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            why = "another process holds the state"
            if not isinstance(error, BlockingIOError):
                why = f"the state cannot be locked ({error.strerror})"
            said = f"started anew: {why}; nothing is kept"
            yield State(path, fingerprint, policy, said, kept=False)
            return
        yield _loaded(path, fingerprint, policy)
    finally:
        os.close(lock)


def forget(folder: Path, fingerprint: str) -> bool:
    """Remove what is on file for a device; whether anything was.

    Raises
    ------
    CockpitError: the file cannot be removed.
    """
    path = _path(folder, fingerprint)
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise artifacts.os_error(path, "cannot forget what a selector learned", error) from error
    return True


def _path(folder: Path, fingerprint: str) -> Path:
    return folder / f"t3-{re.sub(r'[^A-Za-z0-9_-]', '_', fingerprint)}.json"


def _loaded(path: Path, fingerprint: str, policy: str) -> State:
    fresh = State(path, fingerprint, policy, "new")
    if not path.exists():
        return fresh
    try:
        document = artifacts.read(path)
    except CockpitError as error:
        fresh.said = f"started anew: {error}"
        return fresh
    found = problems_by(document, SCHEMA)
    if found:
        fresh.said = f"started anew: {path.name}: {found[0]}"
    elif not _finite(document["contexts"]):
        fresh.said = f"started anew: {path.name}: a number is not finite or counts do not agree"
    elif document["fingerprint"] != fingerprint:
        fresh.said = f"started anew: {path.name} is of another device"
    elif document["policy"] != policy:
        fresh.said = "started anew: the policy is another one"
    else:
        fresh.said, fresh.contexts = "loaded", document["contexts"]
    return fresh


def _finite(contexts: JSON) -> bool:
    return all(
        it["fallbacks"] <= it["served"] <= it["decisions"]
        and all(
            math.isfinite(arm["mean"]) and math.isfinite(arm["spread"])
            for arm in it["arms"].values()
        )
        for it in contexts.values()
    )
