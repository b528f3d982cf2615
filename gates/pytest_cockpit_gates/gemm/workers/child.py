"""The process of a worker: `python child.py PLATFORM` answers JSON lines with JSON lines.

A question is `{"id", "op", "arguments"}`. An answer is `{"id", "result"}` or `{"id", "error":
{"kind", "message"}}`; before it there may be lines `{"id", "progress"}`. Drivers print to stdout,
so answers go out on a copy of it that they do not know.
"""

from __future__ import annotations

import functools
import json
import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any


def main() -> None:
    """Answer until there are no more questions."""
    questions, answers = _private()
    # A driver that aborts would leave its whole memory behind.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _find_package()
    from pytest_cockpit_gates.gemm.workers.mishaps import Mishap
    from pytest_cockpit_gates.gemm.workers.ops import Operations

    mishap = Mishap.of(os.environ)
    operations = Operations(sys.argv[1], mishap)
    for line in questions:
        question = json.loads(line)
        op = question["op"]
        tell = functools.partial(_tell, answers, question["id"])
        mishap.befall(op, answers)
        done = operations.answer(op, question["arguments"], lambda it: tell({"progress": it}))  # noqa: B023 - called before the next line is read
        tell(mishap.distorted(op, done))


def _tell(answers: IO[bytes], number: int, content: Mapping[str, Any]) -> None:
    answers.write(json.dumps({"id": number, **content}, allow_nan=False).encode() + b"\n")
    answers.flush()


def _private() -> tuple[IO[bytes], IO[bytes]]:
    """What was stdin and stdout, of which nothing that runs here knows any more."""
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return questions, answers


def _find_package() -> None:
    """Let the package that this file is part of be found before another version of it."""
    root = Path(__file__).resolve().parents[3]
    sites = (at for at, path in enumerate(sys.path) if path.endswith("-packages"))
    at = next(sites, len(sys.path))
    sys.path[at:at] = [it for it in (str(root), str(root.parent)) if it not in sys.path]


if __name__ == "__main__":
    main()
