"""What pytest-benchmark writes, read as far as it is used."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records.schema import problems
from pytest_cockpit.records.text import one_line, parse, printable

LARGEST = 256 * 1024**2
"""Bytes of the largest file that is read."""

KEPT = 500
"""Times of one benchmark in one process that are kept as they are, at most."""


@dataclass(frozen=True, slots=True)
class Times:
    """What one process measured of one benchmark, in seconds.

    Parameters
    ----------
    count: how many times there were.
    median: of all of them.
    kept: each `every`-th, in the order they were taken.
    """

    count: int
    median: float
    every: int
    kept: tuple[float, ...]

    @classmethod
    def of(cls, data: list[float]) -> Times:
        """The times of one process."""
        every = -(-len(data) // KEPT)
        return cls(len(data), float(median(data)), every, tuple(map(float, data[::every])))


def load(path: Path) -> Mapping[str, Times]:
    """Times by benchmark; {} where the file is not there, as no benchmark ran.

    Raises
    ------
    CockpitError: it is no regular file, too large, or not what pytest-benchmark writes.
    """
    try:
        with open(path, "rb", opener=_opener) as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise CockpitError(f"{path.name}: is no regular file")
            if found.st_size > LARGEST:
                raise CockpitError(
                    f"{path.name}: {found.st_size:,} bytes of samples, {LARGEST:,} are read at "
                    "most; lower --benchmark-max-time or split the file"
                )
            return times(stream.read(LARGEST + 1), path.name)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CockpitError(f"{path.name}: cannot be read ({error.strerror})") from error


def times(data: bytes, name: str) -> Mapping[str, Times]:
    """Times by benchmark, of a file's content; an empty file is of no benchmark."""
    if not data:
        return {}
    try:
        found = parse(data)
    except ValueError as error:
        raise CockpitError(f"{name}: not JSON ({error}); update pytest-benchmark") from error
    wrong = problems(found, "bench_results")
    if wrong:
        raise CockpitError(f"{name}: {wrong[0]}; expected pytest-benchmark 4 or newer")
    read: dict[str, Times] = {}
    for row in found["benchmarks"]:
        benchmark = one_line(printable(row["fullname"]))
        if benchmark in read:
            raise CockpitError(f"{name}: {benchmark}: appears twice; give each benchmark its name")
        read[benchmark] = Times.of(row["stats"]["data"])
    return read


def _opener(path: str, flags: int) -> int:
    # What runs beside it could have put a pipe or a link in its place.
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
