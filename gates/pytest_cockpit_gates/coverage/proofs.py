"""Small repositories that break each rule, and some that break none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pytest_cockpit.api import Move, Proof, Verdict
from pytest_cockpit.records.baselines import Baseline, dump, path_of
from pytest_cockpit_gates.coverage import rules

_BASELINE = path_of(".cockpit", "coverage")

_PILOT = """\
def climb(height):
    if height > 100:
        return "high"
    return "low"


def land():
    return "landed"
"""
_CLIMB = """\
from {module} import climb


def test_climb():
    assert climb({height}) == "{answer}"
"""
_ALL_OF_CLIMB = """\
from pilot import climb


def test_high():
    assert climb(200) == "high"


def test_low():
    assert climb(2) == "low"
"""
_INSTALLED = """\
import sys
import tempfile
from pathlib import Path

folder = tempfile.TemporaryDirectory()
Path(folder.name, "pilot.py").write_text({code!r})
sys.path.insert(0, folder.name)

import pilot
"""


def _entry(statements: int, lines: int = 0, branches: int = 0, **more: str) -> dict[str, Any]:
    counts = {"missing_lines": lines, "missing_branches": branches, "statements": statements}
    return {**counts, **more}


def _with(
    files: Mapping[str, str | bytes], entries: Mapping[str, Any], failing: tuple[str, ...] = ()
) -> dict[str, str | bytes]:
    """The files beside a baseline of these entries."""
    kept = Baseline("coverage", entries, {"failing_tests": list(failing)})
    return {**files, _BASELINE: dump(kept)}


def _test(height: int = 200, answer: str = "high", module: str = "pilot") -> str:
    return _CLIMB.format(module=module, height=height, answer=answer)


# Of the six statements, `land` leaves one out, and one call of `climb` another with its branch.
_HALF = _entry(6, 2, 1)
_WHOLE = _entry(6, 1, 0, uncovered="8")
_MOVE = Move("candidate/pilot.py", "pilot.py", "0" * 40)


# Loading these takes longer than all the rest of a proof; none of them has anything to do there.
_APART = ("anyio", "benchmark", "cacheprovider", "hypothesispytest", "randomly")
QUICK: Mapping[str, Any] = {
    "command": ["-m", "pytest", "-q", *(part for name in _APART for part in ("-p", f"no:{name}"))],
    "timeout_s": 60,
}
"""The settings of a run that loads no more than it needs."""


def proofs() -> Iterator[Proof]:
    """All of them."""
    for proof in (
        *_accepted(),
        *_coverage_lost(),
        *_demanded(),
        *_since_the_base(),
        *_not_the_tree(),
        *_tests_gone_wrong(),
    ):
        yield replace(proof, settings={**QUICK, **proof.settings})


def _accepted() -> Iterator[Proof]:
    yield Proof(
        "as-at-the-baseline",
        _with({"pilot.py": _PILOT, "test_pilot.py": _ALL_OF_CLIMB}, {"pilot.py": _WHOLE}),
        Verdict.PASS,
    )
    yield Proof(
        "code-removed-with-its-tests",
        _with(
            {"pilot.py": _PILOT.partition("\n\n\n")[0], "test_pilot.py": _ALL_OF_CLIMB},
            {"pilot.py": _WHOLE},
        ),
        Verdict.PASS,
    )
    yield Proof(
        "a-known-failure-still-fails",
        _with(
            {"pilot.py": _PILOT, "test_pilot.py": _test(answer="low")},
            {"pilot.py": _HALF},
            ("test_pilot.py::test_climb",),
        ),
        Verdict.PASS,
    )
    yield Proof(
        "moved-with-its-bound",
        _with(
            {
                "pilot.py": _PILOT,
                "candidate/pilot.py": "# cockpit: moved to pilot\nfrom pilot import *\n",
                "test_pilot.py": _test(),
            },
            {"candidate/pilot.py": _HALF},
        ),
        Verdict.PASS,
        moves=(_MOVE,),
        changed=("candidate/pilot.py", "pilot.py"),
    )


def _coverage_lost() -> Iterator[Proof]:
    yield Proof(
        "a-test-was-deleted",
        _with({"pilot.py": _PILOT, "test_pilot.py": _test()}, {"pilot.py": _WHOLE}),
        Verdict.FAIL,
        rules.MORE_LINES,
    )
    yield Proof(
        "a-branch-is-no-longer-taken",
        _with({"pilot.py": _PILOT, "test_pilot.py": _test()}, {"pilot.py": _entry(6, 2, 0)}),
        Verdict.FAIL,
        rules.MORE_BRANCHES,
    )
    yield Proof(
        "a-new-file-without-tests",
        _with(
            {"pilot.py": _PILOT, "radio.py": _PILOT, "test_pilot.py": _test()},
            {"pilot.py": _HALF},
        ),
        Verdict.FAIL,
        rules.NEW_FILE,
    )
    yield Proof(
        "moved-without-a-bound-counts-as-new",
        _with({"pilot.py": _PILOT, "test_pilot.py": _test()}, {}),
        Verdict.FAIL,
        rules.NEW_FILE,
        moves=(_MOVE,),
    )
    yield Proof(
        "slack-elsewhere-does-not-pay-for-a-loss",
        _with(
            {
                "pilot.py": _PILOT,
                "radio.py": _PILOT,
                "test_pilot.py": _test(),
                "test_radio.py": _test(module="radio"),
            },
            {"pilot.py": _WHOLE, "radio.py": _entry(6, 6, 2)},
        ),
        Verdict.FAIL,
        rules.SLACK,
    )


def _demanded() -> Iterator[Proof]:
    """Rules that settings set, and the one about comments."""
    yield Proof(
        "a-comment-instead-of-a-test",
        _with(
            {
                "pilot.py": _PILOT.replace("def land():", "def land():  # pragma: no cover"),
                "test_pilot.py": _ALL_OF_CLIMB,
            },
            {"pilot.py": {**_WHOLE, "excluded": 0}},
        ),
        Verdict.FAIL,
        rules.MORE_EXCLUDED,
    )
    yield Proof(
        "a-file-below-its-target",
        _with({"pilot.py": _PILOT, "test_pilot.py": _test()}, {"pilot.py": _HALF}),
        Verdict.FAIL,
        rules.BELOW_TARGET,
        settings={"targets": [{"paths": ["*.py"], "lines": 90}]},
    )
    yield Proof(
        "a-lane-has-a-target-of-its-own",
        _with(
            {"candidate/pilot.py": _PILOT, "test_pilot.py": _test(module="candidate.pilot")},
            {"candidate/pilot.py": _HALF},
        ),
        Verdict.PASS,
        settings={"production_target": {"lines": 90}, "lane_target": {"lines": 60}},
    )


def _since_the_base() -> Iterator[Proof]:
    """What only two commits show."""
    base = _with({"pilot.py": _PILOT, "test_pilot.py": _ALL_OF_CLIMB}, {"pilot.py": _WHOLE})
    yield Proof(
        "a-bound-loosened-by-hand",
        _with({"pilot.py": _PILOT, "test_pilot.py": _test()}, {"pilot.py": _HALF}),
        Verdict.FAIL,
        rules.LOOSENED,
        base_files=base,
    )
    yield Proof(
        "a-file-renamed-with-its-bound",
        {
            **{path: content for path, content in base.items() if path != "pilot.py"},
            "flight.py": _PILOT,
            "test_pilot.py": _ALL_OF_CLIMB.replace("pilot", "flight"),
        },
        Verdict.PASS,
        base_files=base,
    )
    yield Proof(
        "a-change-without-tests",
        {**base, "pilot.py": _PILOT.replace("landed", "down")},
        Verdict.FAIL,
        rules.PATCH,
        settings={"patch_ratio": 0.5},
        base_files=base,
    )
    untested = _with({"radio.py": _PILOT}, {"pilot.py": _WHOLE, "radio.py": _entry(6, 6, 2)})
    yield Proof(
        "a-change-that-no-test-can-see",
        {**base, **untested, "radio.py": _PILOT.replace("landed", "down")},
        Verdict.UNKNOWN,
        rules.NO_DATA,
        settings={"untested_change": "unknown"},
        base_files={**base, **untested},
    )


def _not_the_tree() -> Iterator[Proof]:
    yield Proof(
        "a-changed-file-cannot-be-read",
        _with(
            {"pilot.py": _PILOT, "radio.py": "def broken(:\n", "test_pilot.py": _test()},
            {"pilot.py": _HALF},
        ),
        Verdict.UNKNOWN,
        rules.NO_DATA,
        changed=("radio.py",),
    )
    yield Proof(
        "the-tests-execute-nothing",
        _with(
            {"pilot.py": _PILOT, "test_pilot.py": "def test_nothing():\n    pass\n"},
            {"pilot.py": _entry(6, 6, 2)},
        ),
        Verdict.UNKNOWN,
        rules.NO_DATA,
    )
    yield Proof(
        "the-tests-import-an-installed-copy",
        _with(
            {
                "pilot.py": _PILOT,
                "conftest.py": _INSTALLED.format(code=_PILOT),
                "test_pilot.py": _test(),
            },
            {"pilot.py": _HALF},
        ),
        Verdict.FAIL,
        rules.OUTSIDE_TREE,
    )

    yield Proof(
        "the-measurement-is-stopped",
        _with(
            {
                "pilot.py": _PILOT,
                "conftest.py": "import sys\n\nimport pilot\n\nsys.settrace(None)\n"
                "if hasattr(sys, 'monitoring'):\n    sys.monitoring.set_events(1, 0)\n",
                "test_pilot.py": _test(),
            },
            {"pilot.py": _entry(6, 6, 2)},
        ),
        Verdict.UNKNOWN,
        rules.DISTURBED,
    )


def _tests_gone_wrong() -> Iterator[Proof]:
    skipped = "import pytest\n\n\n@pytest.mark.skip\n" + _test().partition("\n\n\n")[2]
    yield Proof(
        "tests-are-skipped-instead",
        {
            "pilot.py": _PILOT,
            "test_other.py": "import pilot\n\n\ndef test_land():\n    assert pilot.land()\n",
            "test_pilot.py": skipped,
            _BASELINE: dump(Baseline("coverage", {"pilot.py": _WHOLE}, {"skipped": 0})),
        },
        Verdict.FAIL,
        rules.MORE_SKIPPED,
    )
    yield Proof(
        "a-test-fails-that-passed",
        _with({"pilot.py": _PILOT, "test_pilot.py": _test(answer="low")}, {"pilot.py": _HALF}),
        Verdict.FAIL,
        rules.NEW_TEST_FAILURE,
    )
    yield Proof(
        "no-baseline",
        {"pilot.py": _PILOT, "test_pilot.py": _test()},
        Verdict.UNKNOWN,
        rules.NO_BASELINE,
    )
    yield Proof(
        "no-test-to-run",
        _with({"pilot.py": _PILOT}, {"pilot.py": _entry(6, 6, 2)}),
        Verdict.UNKNOWN,
        rules.TESTS_DID_NOT_RUN,
    )
    yield Proof(
        "a-test-ends-the-process",
        _with(
            {
                "pilot.py": _PILOT,
                "test_pilot.py": "import os\n\n\ndef test_leave():\n    os._exit(0)\n",
            },
            {"pilot.py": _HALF},
        ),
        Verdict.FAIL,
        rules.TESTS_DID_NOT_RUN,
    )
