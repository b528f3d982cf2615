"""Programs that were built before, as the driver gave them out.

Drivers of Mesa build some kernels for seconds, and each worker is a new process. pyopencl keeps
programs too, but behind a lock file that a killed process leaves behind for ever.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyopencl as cl
from pyopencl.characterize import has_src_build_cache

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import artifacts
from pytest_cockpit_gates.gemm.workers import caches

_FOLDER = "programs"
_DIGEST = hashlib.sha256().digest_size


def build(context: Any, handle: Any, fingerprint: str, text: str, options: Sequence[str]) -> Any:
    """The program of an OpenCL text, read from the cache where it was built before.

    Raises
    ------
    pyopencl.Error: the driver cannot build it.
    """
    with _unremarked():
        if has_src_build_cache(handle):
            return cl.Program(context, text).build(list(options))
        path = _place("\0".join((fingerprint, *options, text)))
        kept = path and _read(path)
        if kept:
            # A driver may not know its own any more.
            with contextlib.suppress(cl.Error):
                return cl.Program(context, [handle], [kept]).build(list(options))
    program = build_anew(context, text, options)
    if path:
        with contextlib.suppress(CockpitError, cl.Error):
            (binary,) = program.get_info(cl.program_info.BINARIES)
            artifacts.write_bytes(path, hashlib.sha256(binary).digest() + binary)
    return program


def build_anew(context: Any, text: str, options: Sequence[str]) -> Any:
    """The program, built now; nothing of it is kept.

    Raises
    ------
    pyopencl.Error: the driver cannot build it.
    """
    # In a folder of its own nobody else holds pyopencl's lock.
    with _unremarked(), tempfile.TemporaryDirectory(prefix="cockpit-build-") as folder:
        return cl.Program(context, text).build(list(options), cache_dir=folder)


@contextlib.contextmanager
def _unremarked() -> Iterator[None]:
    """Leave out what compilers remark: it is no error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cl.CompilerWarning)
        yield


def _place(key: str) -> Path | None:
    """Where a program is kept; None where the user has no folder that nobody else writes to."""
    try:
        folder = caches.folder(_FOLDER, Path(os.devnull))
    except OSError:
        return None
    return folder / hashlib.sha256(key.encode()).hexdigest()


def _read(path: Path) -> bytes | None:
    """What was kept, if it is whole: a driver ends the process over what is not."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, binary = content[:_DIGEST], content[_DIGEST:]
    return binary if hashlib.sha256(binary).digest() == digest else None
