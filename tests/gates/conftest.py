"""What the tests of several gates share."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_cockpit import process
from tests import warm


@pytest.fixture
def warm_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts of `warm.PROGRAMS` are forks of a process that has loaded what they need."""
    run = process.run

    def run_warm(
        argv: Sequence[str | Path],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        input: bytes | None = None,  # noqa: A002 - as of `process.run`
        timeout: float | None = None,
        **more: Any,
    ) -> process.Completed:
        arguments, started = tuple(map(str, argv)), time.perf_counter()
        variables = process.environment() if env is None else env
        done = None if more else warm.program(arguments, cwd, variables, timeout, input)
        if done is None:
            return run(argv, cwd=cwd, env=env, input=input, timeout=timeout, **more)
        wall_s = time.perf_counter() - started
        return process.Completed(
            arguments, done.code, done.out, done.err, wall_s, done.cpu_s, done.late
        )

    monkeypatch.setattr(process, "run", run_warm)
