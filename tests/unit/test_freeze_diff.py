"""Two freezes side by side: every number from the tree that is frozen, or unknown."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError
from pytest_cockpit.config import Config
from pytest_cockpit.freeze import diff
from pytest_cockpit.freeze.diff import Difference, Metric, compare
from pytest_cockpit.git import Entry, Repository
from pytest_cockpit.records import artifacts, ledger
from tests.freezes import LEDGER, Harbour, make

OUTPUT = "docs/_generated"
CHECKS = [("registry", "pass"), ("ledger", "fail"), ("benchmark-trend", "skip")]


def registry(modules: int, docs: int, tests: int) -> dict[str, Any]:
    """As much of MODULE_REGISTRY.json as is read here, in both of its forms."""
    row = {"docs": ["d"] * docs, "tests": ["t"] * tests}
    return {"module_count": modules, "modules": [row for _ in range(modules)]}


def meta(covered: int, mean: float | None) -> dict[str, Any]:
    return {"summary": {"inputs": {"coverage": {"known": covered}}, "health": {"mean": mean}}}


def write(harbour: Harbour, registry: object, meta: object, rows: int) -> None:
    folder = harbour.root / OUTPUT
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "MODULE_REGISTRY.json").write_text(json.dumps(registry))
    (folder / "META_REGISTRY.json").write_text(json.dumps(meta))
    data = (harbour.root / LEDGER).read_bytes()
    added = [{"kind": "coverage", "module": str(number)} for number in range(rows)]
    (harbour.root / LEDGER).write_bytes(ledger.extend(data, added))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two freezes as before and after a runbook, and in between one of a published run."""
    harbour = make(tmp_path_factory.mktemp("diff") / "harbour")
    write(harbour, registry(3, 2, 1), meta(0, None), 0)
    harbour.commit("before")
    harbour.freeze("before", checks=CHECKS)
    published = {"summary": {"with_coverage": 5, "avg_health_score": 20.2}}
    write(harbour, registry(4, 2, 1), published, 5)
    (harbour.root / "quay/deep/pilot.py").unlink()
    (harbour.root / "new.py").write_text("")
    harbour.commit("published")
    old = {"tag": "old", "frozen_at": "x", "commit": harbour.git("rev-parse", "HEAD")}
    (harbour.root / OUTPUT / "PRODUCTION_FREEZE.json").write_text(json.dumps(old))
    write(harbour, registry(5, 3, 2), meta(4, 61.5), 2)
    harbour.commit("after")
    harbour.freeze("after", checks=[*CHECKS[:1], ("ledger", "pass")])
    harbour.git("tag", "lightweight", "HEAD~3")
    return harbour.root


@pytest.fixture
def harbour(built: Path) -> Harbour:
    return Harbour(built)


def look(harbour: Harbour, before: str, after: str) -> Difference:
    found = compare(harbour.repository, harbour.settings, before, after)
    assert artifacts.validate(found.document(), "freeze-diff") == []
    return found


def numbers(found: Difference) -> dict[str, tuple[object, object]]:
    return {metric.name: (metric.before, metric.after) for metric in found.metrics}


def test_every_number_is_of_the_tree_that_is_frozen(harbour: Harbour):
    found = look(harbour, "before", "after")
    assert numbers(found) == {
        "modules": (3, 5),
        "modules with coverage": (0, 4),
        "coverage ledger entries": (0, 7),
        "mean health": (None, 61.5),
        "documentation files": (6, 15),
        "test files": (3, 10),
        "checks passing": (1, 2),
        "checks skipped": (1, 0),
        "checks": (3, 2),
        "files": (11, 12),
    }
    assert found.added == (f"{OUTPUT}/PRODUCTION_FREEZE.json", "new.py")
    assert found.removed == ("quay/deep/pilot.py",)
    assert LEDGER in found.changed
    lines = list(found.lines())
    assert "mean health              unknown  61.5/100  unknown" in lines
    assert "modules with coverage    0        4         +4" in lines
    assert "documentation files      6        15        +9 (+150.0%)" in lines


def test_a_published_freeze_is_read_and_marked_unverified(harbour: Harbour):
    found = look(harbour, "old", "after")
    assert not found.before.verifiable
    assert found.after.verifiable
    told = numbers(found)
    assert told["modules with coverage"] == (5, 4)
    assert told["mean health"] == (20.2, 61.5)
    assert told["checks"] == (None, 2)
    assert "(unverified: docs/_generated/PRODUCTION_FREEZE.json)" in next(found.lines())


def test_a_tag_without_a_manifest_is_read_and_marked_unverified(harbour: Harbour):
    found = look(harbour, "lightweight", "lightweight")
    assert not found.before.verifiable
    assert (found.added, found.changed, found.removed) == ((), (), ())


def test_a_tag_that_is_not_there(harbour: Harbour):
    with pytest.raises(CockpitError, match="no such tag"):
        look(harbour, "before", "v9")
    with pytest.raises(CockpitError, match=r"befor: no such tag in .* did you mean before"):
        look(harbour, "befor", "before")
    with pytest.raises(CockpitError, match="no name for a tag"):
        look(harbour, "--all", "before")


def test_documents_that_are_none_tell_nothing(harbour: Harbour, tmp_path: Path):
    shutil.copytree(harbour.root, tmp_path / "other", symlinks=True)
    other = Harbour(tmp_path / "other")
    (other.root / OUTPUT / "MODULE_REGISTRY.json").write_text("{")
    (other.root / OUTPUT / "META_REGISTRY.json").write_bytes(b"\xff")
    (other.root / LEDGER).write_text("broken\n")
    other.commit("break")
    other.git("tag", "broken")
    told = numbers(look(other, "broken", "after"))
    assert [name for name, (before, _) in told.items() if before is None] == [
        "modules",
        "modules with coverage",
        "coverage ledger entries",
        "mean health",
        "documentation files",
        "test files",
        "checks passing",
        "checks skipped",
        "checks",
    ]


def test_a_long_list_is_cut_in_words_and_whole_as_data(harbour: Harbour):
    found = look(harbour, "before", "after")
    names = tuple(f"f{number}" for number in range(30))
    many = Difference(found.before, found.after, (), names, (), ())
    assert "  … 10 more; --json lists all" in list(many.lines())
    assert many.document()["files"]["added"] == list(names)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (5, 125, "+120 (+2400.0%)"),
        (7, 7, "="),
        (0, 3, "+3"),
        (20.2, 20.3, "+0.1 (+0.5%)"),
        (3, 1, "-2 (-66.7%)"),
    ],
)
def test_a_change_in_words(before: float, after: float, said: str):
    assert diff._change(Metric("x", before, after)) == said


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["modules", "docs", "summary", "health", "mean", "inputs"]), inner
        )
    ),
    max_leaves=12,
)


@given(VALUES, VALUES)
def test_whatever_the_documents_hold_is_a_number_or_unknown(one: object, other: object):
    class Given(Repository):
        """A repository with these two documents."""

        def blob(self, _: str, path: str) -> bytes:
            return json.dumps(one if "META" in path else other).encode()

        def entries(self, _: str, prefix: str = "") -> list[Entry]:
            return []

    figures = diff._Figures(Given(Path(), Path()), Config(), "0" * 40, "x.json")
    for value in figures.known().values():
        assert type(value) in (int, float, type(None))
