"""A small repository with one module, rows of its ledger, and strategies for rows of any shape."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from hypothesis import strategies as st

from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.phases import Place
from pytest_cockpit.records import baselines, ledger
from pytest_cockpit.registry import modules, substance

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LEDGER = ".cockpit/promotions.ndjson"
ABSENT = "1" * 40
FILES: dict[str, str | bytes] = {
    "a/module.manifest.json": json.dumps({"module": "a", "matrix": {"contract": "c.json"}}),
    "a/c.json": "{}",
    "a/x.py": "X = 1\n",
    "a/test_x.py": "def test_x():\n    pass\n",
    "a/README.md": "# A\n",
    "a/CHANGELOG.md": "First.\n",
    "a/docs/api.md": "# API\n",
    ".cockpit/baselines/imports.json": baselines.dump(baselines.Baseline("imports")),
}
BENCHMARK = {
    "kind": "benchmark",
    "at": "2026-01-02T00:00:00Z",
    "module": "a",
    "benchmark": "a/benchmarks/test_b.py::test_b",
    "commit": ABSENT,
    "fingerprint": "f" * 64,
    "unit": "s",
    "low": 0.9,
    "median": 1.0,
    "high": 1.1,
    "samples": 30,
    "data_sha256": "d" * 64,
}


def place(repository, settings=None):
    found = Repository.discover(repository.root)
    head = found.resolve("HEAD")
    return Place(found, settings or Config(), head, head, NOW)


def coverage(commit, **others):
    tests = {"passed": 3, "failed": 1, "errors": 0, "skipped": 2}
    row = {"kind": "coverage", "at": "2026-01-02T00:00:00Z", "module": "a", "commit": commit}
    row |= {"state": "failed", "statements": 4, "missing": 1, "tests": tests}
    return {**row, "data_sha256": "d" * 64, **others}


def enter(repository, *rows):
    """Chain rows to the ledger and commit it."""
    before = Repository.discover(repository.root).blob("HEAD", LEDGER) or b""
    repository.commit({LEDGER: ledger.extend(before, rows)})


def content(repository):
    here = place(repository)
    return substance.digest(here, modules.discover(here)[0])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**40) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
KEYS = [*coverage(ABSENT), *BENCHMARK, "seq", "content_sha256"]
ROWS = st.lists(
    st.one_of(
        st.dictionaries(st.sampled_from(KEYS) | st.text(), JSON),
        st.builds(
            lambda base, change: {**base, **change},
            st.sampled_from([coverage(ABSENT), BENCHMARK]),
            st.dictionaries(st.sampled_from(KEYS), JSON, max_size=2),
        ),
    ),
    max_size=4,
)
