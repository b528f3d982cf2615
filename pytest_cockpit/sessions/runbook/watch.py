"""How long a phase takes."""

from __future__ import annotations

import os
import time

from pytest_cockpit.phases import is_fixed


class Watch:
    """Measures a phase; a fixed clock measures nothing, so that its report is repeatable."""

    def __init__(self) -> None:
        self._fixed = is_fixed()
        self._begun = self._now()

    def spent(self) -> tuple[float | None, float | None]:
        """Wall and CPU seconds since it was made, those of child processes included."""
        if self._fixed:
            return None, None
        wall, cpu = (
            round(now - then, 3) for now, then in zip(self._now(), self._begun, strict=True)
        )
        return wall, cpu

    @staticmethod
    def _now() -> tuple[float, float]:
        spent = os.times()
        own = spent.user + spent.system
        return time.perf_counter(), own + spent.children_user + spent.children_system
