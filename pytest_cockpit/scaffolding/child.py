"""The far side of `apart`: render a template for modules, in a process with a limit.

Started as a script, so nothing of ours may be imported before the path has been extended.
"""

from __future__ import annotations

import base64
import contextlib
import json
import pickle
import resource
import sys
from collections.abc import Sequence
from typing import Any


def main(folders: Sequence[str]) -> int:
    """Read a request from standard input and write the answer to standard output."""
    sys.path += [folder for folder in folders if folder not in sys.path]
    template, told, seconds, size = pickle.load(sys.stdin.buffer)  # noqa: S301 - of our parent
    _limit(resource.RLIMIT_CPU, seconds)
    _limit(resource.RLIMIT_AS, size)
    sys.stdout.write(json.dumps(_answer(template, told)))
    return 0


def _answer(template: Any, told: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    from pytest_cockpit.api import CockpitError
    from pytest_cockpit.scaffolding.rendering import Renderer, each

    try:
        rendered = each(Renderer(template), told)
    except CockpitError as error:
        return {"error": str(error)}
    return {"files": [{name: _text(data) for name, data in one.items()} for one in rendered]}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _limit(kind: int, most: int) -> None:
    # Some systems take no limit of memory; that of time is then what ends it.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
