"""What the journal of a session that was cut off says of it, and where its faults are shown."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_cockpit.api import Verdict
from pytest_cockpit.items import PlanItem, Step
from pytest_cockpit.sessions.lock import SessionLock


@pytest.mark.parametrize(
    ("event", "facts", "said"),
    [
        ("phase", {"phase": "sweep", "commit": "c" * 40}, "phase sweep"),
        ("gate", {"gate": "imports", "verdict": "pass"}, "gate imports"),
        ("gate", {"gate": "a\nb"}, r"gate a\nb"),
        ("sealing", {"commit": "c" * 40}, "sealing"),
    ],
)
def test_what_was_cut_off_is_named(tmp_path, event, facts, said):
    lock = SessionLock(tmp_path)
    lock.acquire("runbook")
    lock.journal(event, **facts)
    lock.release()
    assert SessionLock(tmp_path).left_behind() == [
        f"cockpit: the last session was cut off after '{said}'"
    ]


def test_an_internal_error_is_named_in_one_line_without_secrets():
    def fails():
        raise KeyError("https://me:hunter22@example.org\nlost")

    item: Any = SimpleNamespace(step=Step("sweep", "phase", fails), outcome=None)
    with pytest.raises(KeyError):
        PlanItem.runtest(item)
    assert item.outcome.verdict is Verdict.ERROR
    assert item.outcome.summary.startswith("KeyError: ")
    assert "lost" in item.outcome.summary
    assert "hunter22" not in item.outcome.summary
    assert len(item.outcome.summary.splitlines()) == 1
