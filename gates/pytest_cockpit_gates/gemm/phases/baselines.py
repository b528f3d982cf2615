"""The artifact that a run is compared with: read, and what its rows come to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.text import parse, printable, sha256
from pytest_cockpit_gates.gemm.closing import results
from pytest_cockpit_gates.gemm.closing.results import number

_LARGEST = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Baseline:
    """An artifact as it was read.

    Parameters
    ----------
    path: repository-relative.
    sha256: of its bytes.
    """

    path: str
    sha256: str
    data: Mapping[str, Any]

    @property
    def source(self) -> dict[str, str]:
        """As the artifact of a run names it."""
        meta = self.data.get("metadata")
        told = meta if isinstance(meta, Mapping) else {}
        name = told.get("run_id") or told.get("timestamp_utc") or self.path
        return {"path": self.path, "sha256": self.sha256, "id": str(name)[:200]}


def read(root: Path, path: str) -> Baseline:
    """The artifact at a path of the tree.

    Raises
    ------
    CockpitError: it cannot be read, lies outside the tree, or holds no rows.
    """
    where = printable(path)
    try:
        file = (root / path).resolve()
        if not file.is_relative_to(root.resolve()):
            raise CockpitError(f"{where}: outside the repository; name a path below its root")
        if file.stat().st_size > _LARGEST:
            raise CockpitError(f"{where}: larger than any artifact; name another file")
        content = file.read_bytes()
        data = parse(content)
    except OSError as error:
        raise artifacts.os_error(Path(path), "cannot read", error) from error
    except (ValueError, RuntimeError) as error:
        raise CockpitError(f"{where}: not JSON ({error}); name the artifact of a run") from error
    if not isinstance(data, Mapping) or not isinstance(data.get("runs"), list):
        raise CockpitError(f"{where}: runs: expected a list; name the artifact of a run")
    return Baseline(where, sha256(content), data)


@dataclass(frozen=True, slots=True)
class Level:
    """What one kernel at one size on one platform had: GFLOPS and milliseconds.

    Parameters
    ----------
    sessions: logarithms of the GFLOPS of each.
    """

    average: float
    p95_ms: float
    sessions: tuple[float, ...] = ()


def levels(data: Mapping[str, Any] | None, fingerprint: str) -> dict[str, Level]:
    """Levels by `kernel:size@platform`; none where the baseline is of another machine."""
    meta = (data or {}).get("metadata")
    machine = meta.get("machine") if isinstance(meta, Mapping) else None
    told = machine.get("fingerprint") if isinstance(machine, Mapping) else None
    if data is None or not told or told != fingerprint:
        return {}
    sessions: dict[str, list[float]] = {}
    for row in data.get("runs") or ():
        key, found = _sessions(row)
        sessions.setdefault(key, []).extend(found)
    return {
        line.key: Level(line.average, line.p95_ms, tuple(sessions.get(line.key, ())))
        for line in results.lines(data)
        if line.average is not None and line.p95_ms is not None
    }


def _sessions(row: Any) -> tuple[str, list[float]]:
    """A row's key, and the logarithms of what each of its sessions did in GFLOPS."""
    if not isinstance(row, Mapping) or row.get("status") != "ok":
        return "", []
    size, told = number(row.get("size")), row.get("sessions")
    key = f"{row.get('kernel')}:{row.get('size')}@{row.get('platform_selector')}"
    found = []
    for session in told if isinstance(told, list) else ():
        walls = session.get("wall_s") if isinstance(session, Mapping) else None
        times = [number(it) for it in walls] if isinstance(walls, list) else []
        good = [it for it in times if it is not None and it > 0]
        if size is not None and size > 0 and good:
            found.append(math.log(fmean(2 * size**3 / 1e9 / it for it in good)))
    return key, found
