"""Which variant is taken for a device and a size: what was measured here, else what is shipped.

A choice is keyed by platform, version and device, for the ranking inverts between versions of a
driver. The nearest size measured there stands for one that was not.
"""

from __future__ import annotations

import contextlib
import fnmatch
import glob
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pytest_cockpit.api import JSON, CockpitError
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.schema import problems_by
from pytest_cockpit_gates.gemm.kernels import families
from pytest_cockpit_gates.gemm.kernels.variants import Variant
from pytest_cockpit_gates.gemm.workers import caches

_PATIENCE_S = 10.0
_SCHEMA_NAME = "pytest-cockpit/gemm-table/1"
_SIZE: JSON = {"type": "integer", "minimum": 1}
_TEXT: JSON = {"type": "string"}
SCHEMA: JSON = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["schema", "entries"],
    "additionalProperties": False,
    "properties": {
        "schema": {"const": _SCHEMA_NAME},
        "entries": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["platform", "version", "device", "m", "n", "k", "variant", "sha256"],
                "additionalProperties": False,
                "properties": {
                    "platform": _TEXT,
                    "version": _TEXT,
                    "device": _TEXT,
                    "m": _SIZE,
                    "n": _SIZE,
                    "k": _SIZE,
                    "variant": _TEXT,
                    "sha256": _TEXT,
                    "gflops": {"type": "number", "minimum": 0},
                },
            },
        },
    },
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One choice.

    Parameters
    ----------
    platform: the selector.
    version, device: what the device says, as a shell pattern.
    m, n, k: the size it was measured at.
    variant: id of the fastest that was right.
    sha256: digest of its text then, "" for a shipped one; another text is another measurement.
    gflops: how fast it was then.
    """

    platform: str
    version: str
    device: str
    m: int
    n: int
    k: int
    variant: str
    sha256: str = ""
    gflops: float = 0.0

    @classmethod
    def of(cls, info: JSON, size: tuple[int, int, int], variant: Variant, gflops: float) -> Entry:
        """What was measured on the device that `info` describes."""
        version, device = glob.escape(info["platform_version"]), glob.escape(info["device"])
        return cls(
            info["platform"], version, device, *size, variant.id, variant.sha256, round(gflops, 3)
        )

    @property
    def key(self) -> tuple[Any, ...]:
        """What only one entry of a table may say."""
        return (self.platform, self.version, self.device, self.m, self.n, self.k)

    def suits(self, info: JSON) -> bool:
        """Whether it was measured on such a device."""
        return (
            self.platform == info["platform"]
            and fnmatch.fnmatchcase(info["platform_version"], self.version)
            and fnmatch.fnmatchcase(info["device"], self.device)
        )


@dataclass(frozen=True, slots=True)
class Table:
    """Choices, those measured here before those shipped.

    Parameters
    ----------
    measured, shipped: entries of both kinds.
    """

    measured: tuple[Entry, ...] = ()
    shipped: tuple[Entry, ...] = ()

    def best(self, info: JSON, m: int, n: int, k: int) -> Variant:
        """The variant for a device, as `Device.info` describes it, and a size; it fits both."""
        known = {it.id: it for it in families.fitting(info, m, n, k)}
        for entries in (self.measured, self.shipped):
            usable = [
                it
                for it in entries
                if it.suits(info)
                and it.variant in known
                and it.sha256 in {"", known[it.variant].sha256}
            ]
            if usable:
                return known[min(usable, key=lambda it: _far(it, m, n, k)).variant]
        return next(iter(known.values()))

    def having(self, entries: Iterable[Entry]) -> Table:
        """The table with these measured ones, each instead of the one of its key."""
        merged = {it.key: it for it in (*self.measured, *entries)}
        return Table(tuple(merged[key] for key in sorted(merged)), self.shipped)


def load(path: Path | None = None) -> Table:
    """The shipped choices and those measured before, which lie at `path`, or in the user's cache.

    Raises
    ------
    CockpitError: the measured ones cannot be read.
    """
    where = path or place()
    shipped = files("pytest_cockpit_gates.gemm.kernels") / "table.json"
    defaults = _entries(json.loads(shipped.read_text(encoding="utf-8")), "table.json")
    if not where.exists():
        return Table((), defaults)
    return Table(_entries(artifacts.read(where), str(where)), defaults)


def save(entries: Sequence[Entry], path: Path | None = None) -> Path:
    """Add `entries` to those measured before; where they lie now.

    Raises
    ------
    CockpitError: the file cannot be read or written, or another process holds it for too long.
    """
    where = path or place()
    with _alone(where):
        merged = load(where).having(entries).measured
        artifacts.write(where, {"schema": _SCHEMA_NAME, "entries": [asdict(it) for it in merged]})
    return where


def place() -> Path:
    """Where measured choices lie: below `COCKPIT_CACHE`, or in the user's cache.

    Raises
    ------
    CockpitError: `COCKPIT_CACHE` is no absolute path.
    """
    folder = caches.base()
    if not folder.is_absolute():
        raise CockpitError(
            f"{caches.VARIABLE}: {artifacts.printable(str(folder.parent))} is no absolute path;"
            " name one"
        )
    return folder / "table.json"


@contextlib.contextmanager
def _alone(where: Path) -> Iterator[None]:
    """Keep others from adding to the table meanwhile: what they add would be lost."""
    lock = FileLock(where.with_suffix(".lock"))
    try:
        where.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=_PATIENCE_S)
    except Timeout as error:
        raise CockpitError(
            f"{artifacts.printable(str(where))}: another process has been adding to it for"
            f" {_PATIENCE_S:g} s; tune again when it has ended"
        ) from error
    except OSError as error:
        raise artifacts.os_error(where, "cannot keep what was measured", error) from error
    try:
        yield
    finally:
        lock.release()


def _far(entry: Entry, m: int, n: int, k: int) -> float:
    wanted, had = (m, n, k), (entry.m, entry.n, entry.k)
    pairs = zip(wanted, had, strict=True)
    return sum(math.log(max(a, 1) / b) ** 2 for a, b in pairs)


def _entries(data: Any, where: str) -> tuple[Entry, ...]:
    found = problems_by(data, SCHEMA)
    if found:
        raise CockpitError(
            f"{artifacts.printable(where)}: {found[0]}; remove it and tune again"
            " (--cockpit-gemm-tune)"
        )
    return tuple(Entry(**it) for it in data["entries"])
