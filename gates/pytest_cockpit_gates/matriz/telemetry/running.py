"""One smoke, run in a process of its own."""

from __future__ import annotations

import json
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from pytest_cockpit import process
from pytest_cockpit.api import Context
from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.matriz.telemetry.recording import Missing, Recording, Unreadable, read
from pytest_cockpit_gates.matriz.telemetry.smokes import Smoke

LARGEST = 32 * 2**20
_STARTER = Path(__file__).with_name("child") / "cockpit_smoke.py"
_FOLDER = "telemetry"
_TAIL = 400


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a smoke.

    Parameters
    ----------
    fault: why it is red; None when it ended well.
    unseen: why there is no recording; None when there is one.
    sdk: whether the tree's interpreter has the SDK.
    tail: the last of what it wrote.
    """

    recording: Recording | None
    code: int | None
    fault: str | None = None
    unseen: str | None = None
    sdk: bool = True
    tail: str = ""


def run(smoke: Smoke, context: Context, timeout: float) -> Outcome:
    """Start it, and read what it wrote down."""
    folder = context.scratch / _FOLDER
    folder.mkdir(exist_ok=True)
    nonce, results = secrets.token_hex(32), folder / secrets.token_hex(16)
    job = {
        "nonce": nonce,
        "results": os.fspath(results.resolve()),
        "kind": smoke.kind,
        "target": smoke.target,
        "argv": list(smoke.arguments),
        "path": [str((context.root / part).resolve()) for part in _roots(context)],
    }
    ended = process.run(
        [context.python, _STARTER],
        cwd=context.root,
        env=_environment(context),
        input=json.dumps(job).encode(),
        timeout=timeout,
    )
    tail = _last(ended.stderr) or _last(ended.stdout)
    if ended.timed_out:
        return Outcome(None, None, f"did not end within {timeout:g} s", tail=tail)
    code = ended.returncode
    fault = _fault(code)
    try:
        return Outcome(read(_content(results), nonce), code, fault, tail=tail)
    except Missing as error:
        return Outcome(None, code, unseen=one_line(str(error)), sdk=False)
    except Unreadable as error:
        return Outcome(None, code, fault, unseen=one_line(str(error)), tail=tail)
    finally:
        results.unlink(missing_ok=True)


def _roots(context: Context) -> list[str]:
    """Where the tree's modules are found; its root always, for smokes beside the sources."""
    return list(dict.fromkeys([*context.lane.source_roots, "."]))


def _environment(context: Context) -> dict[str, str]:
    """Without variables that steer the SDK: a smoke says the same everywhere."""
    kept = frozenset(context.pass_environment)
    clean = process.environment(kept, {"PYTHONDONTWRITEBYTECODE": "1"})
    return {
        name: value for name, value in clean.items() if name in kept or not name.startswith("OTEL_")
    }


def _fault(code: int) -> str | None:
    if code < 0:
        return f"was ended by signal {-code}"
    return f"ended with code {code}" if code else None


def _content(path: Path) -> bytes:
    """The bytes of a plain file that is not too large to be looked at."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Unreadable("it ended before anything was written down") from error
    with os.fdopen(descriptor, "rb") as stream:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
            raise Unreadable(f"it is no file of at most {LARGEST} bytes")
        return stream.read(LARGEST)


def _last(data: bytes) -> str:
    """The end of what was written, on one line."""
    lines = data[-4 * _TAIL :].decode(errors="replace").strip().splitlines()
    return one_line(" | ".join(line.strip() for line in lines[-3:]))[-_TAIL:]
