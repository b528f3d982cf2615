"""OpenCL platforms: how a process is brought to see one and no other, and what is missing here."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import text
from pytest_cockpit_gates.gemm.kernels import shader_cache
from pytest_cockpit_gates.gemm.workers import caches

_VENDORS = "OCL_ICD_VENDORS"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")
_USUAL = Path("/etc/OpenCL/vendors")
_INSTALL = "apt-get install ocl-icd-libopencl1"
# Threads of a BLAS spin after a call and take the processor from the next launch.
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Platform:
    """One OpenCL platform.

    Parameters
    ----------
    name: as settings and options say it.
    icd: stem of the file that names its library to the loader.
    calls_itself: name that it must answer with; any where empty.
    variables: without these it shows no device.
    package: of Debian, with the library.
    """

    name: str
    icd: str
    calls_itself: str = ""
    variables: tuple[tuple[str, str], ...] = ()
    package: str = ""


KNOWN: Mapping[str, Platform] = {
    it.name: it
    for it in (
        Platform("pocl", "pocl", "Portable Computing Language", package="pocl-opencl-icd"),
        Platform(
            "rusticl", "rusticl", "rusticl", (("RUSTICL_ENABLE", "llvmpipe"),), "mesa-opencl-icd"
        ),
        Platform("clover", "mesa", "Clover", (("LP_CL", "1"),), "mesa-opencl-icd"),
    )
}


def platform(name: str) -> Platform:
    """The platform of this name; one that is not known goes by the name of its ICD file.

    Raises
    ------
    CockpitError: no platform can have this name.
    """
    if not _NAME.fullmatch(name):
        raise CockpitError(
            f"gemm: {text.one_line(name)[:40]!r} is no platform; take {', '.join(KNOWN)}, or the"
            " name of an ICD file without its .icd"
        )
    return KNOWN.get(name) or Platform(name, name)


def missing(name: str) -> str | None:
    """Why there is no such platform here and what installs it, in one line; None where there is."""
    wanted = platform(name)
    if _icd(wanted) is not None:
        return None
    return f"{name}: no {wanted.icd}.icd in {_place()}; {remedy(name)}"


def remedy(name: str) -> str:
    """What to do where a platform or its device is not there."""
    wanted = platform(name)
    if not wanted.package:
        return f"install its driver, or name the folder of its ICD file in {_VENDORS}"
    return f"install it: {_INSTALL} {wanted.package}"


def environment(name: str, fallback: Path) -> dict[str, str]:
    """Variables of a process that shall see this platform alone.

    Compiled kernels are kept between runs, below `fallback` where the user has no folder for
    caches: without a place to write to, a driver compiles again at every launch.
    """
    wanted = platform(name)
    icd = _icd(wanted)
    # Whoever has a graphics card names its driver in the same variables.
    shown = {key: os.environ.get(key) or value for key, value in wanted.variables}
    extra = {**dict.fromkeys(_THREADS, "1"), **shown}
    if icd is not None:
        extra[_VENDORS] = str(icd)
    for variable, folder in ((shader_cache.FOLDER, "mesa"), ("POCL_CACHE_DIR", "pocl")):
        extra[variable] = str(caches.folder(folder, fallback))
    clean = process.environment(extra=extra)
    for variable in (*shader_cache.DISABLED, "OCL_ICD_FILENAMES"):
        clean.pop(variable, None)
    return clean


def is_named(name: str, told: str) -> bool:
    """Whether a platform that calls itself `told` is the one that was asked for."""
    expected = platform(name).calls_itself
    return bool(told) and (not expected or told.strip().casefold() == expected.casefold())


def _place() -> Path:
    named = os.environ.get(_VENDORS)
    return Path(named).absolute() if named else _USUAL


def _icd(wanted: Platform) -> Path | None:
    """The file of this platform: in the folder, or the one file, that the loader is told of."""
    place = _place()
    file = (
        place
        if place.suffix == ".icd" and place.stem == wanted.icd
        else place / f"{wanted.icd}.icd"
    )
    return file if file.is_file() else None
