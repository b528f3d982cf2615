from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_cockpit import discovery

GATE = """
from pytest_cockpit.api import Rule

class Gate:
    name = {name!r}
    summary = "a gate"
    rules = (Rule({name!r} + ".rule", "a rule"),)
    settings_schema = {{}}
    def check(self, context): ...
    def proofs(self): return ()

gate = Gate()
"""


class Site:
    """A folder of distributions on the import path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def distribution(self, name: str, entries: dict[str, str]) -> None:
        info = self.folder / f"{name.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        lines = [f"{marker} = {value}" for marker, value in entries.items()]
        text = "\n".join(["[pytest_cockpit.gates]", *lines, ""])
        (info / "entry_points.txt").write_text(text)

    def module(self, name: str, text: str) -> None:
        (self.folder / f"{name}.py").write_text(text)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield Site(tmp_path)
    for name in set(sys.modules) - before:
        if name.startswith("probe_"):
            del sys.modules[name]


def broken() -> dict[str, str]:
    return {item.marker: item.error for item in discovery.gates().broken}


def test_a_gate_is_found_with_its_marker_and_distribution(site):
    site.module("probe_one", GATE.format(name="one"))
    site.distribution("one-gates", {"one_marker": "probe_one:gate"})
    found = discovery.gates().loaded["one"]
    assert found.marker == "one_marker"
    assert found.distribution == "one-gates 1.2"
    assert found.gate is sys.modules["probe_one"].gate
    assert found.entry.value == "probe_one:gate"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("raise RuntimeError('no\\nway')", "cannot be loaded: RuntimeError: no way"),
        ("import sys; sys.exit(3)", "cannot be loaded: SystemExit: 3"),
        ("import module_that_is_not_there", "cannot be loaded: ModuleNotFoundError"),
        ("(", "cannot be loaded: SyntaxError"),
        ("", "cannot be loaded: AttributeError"),
        ("class gate: ...", "gate is a class: let the entry point name an instance"),
        ("gate = object()", "it lacks name, summary, rules, settings_schema, check, proofs"),
        (GATE.format(name="Two Words"), "name must be lower-case letters"),
        (GATE.format(name="x") + "Gate.rules = 'abc'", "rules must be a sequence of api.Rule"),
        (GATE.format(name="x") + "Gate.rules = ('abc',)", "rules must be a sequence of api.Rule"),
        (GATE.format(name="x") + "Gate.summary = 3", "summary must be a string"),
        (GATE.format(name="x") + "Gate.settings_schema = 3", "settings_schema must be a mapping"),
        (GATE.format(name="x") + "Gate.check = 3", "check must be callable"),
        (GATE.format(name="x") + "Gate.proofs = 3", "proofs must be callable"),
    ],
)
def test_a_broken_gate_does_not_take_the_others_along(site, text, error):
    site.module("probe_bad", text)
    site.module("probe_one", GATE.format(name="one"))
    site.distribution("gates", {"bad": "probe_bad:gate", "one_marker": "probe_one:gate"})
    assert error in broken()["bad"]
    assert broken()["bad"].startswith("probe_bad:gate: ")
    assert "\n" not in broken()["bad"]
    assert "one" in discovery.gates().loaded


def test_of_two_gates_with_one_name_neither_is_used(site):
    site.module("probe_one", GATE.format(name="one"))
    site.module("probe_two", GATE.format(name="one"))
    site.distribution("one-gates", {"first": "probe_one:gate"})
    site.distribution("two-gates", {"second": "probe_two:gate"})
    assert "one" not in discovery.gates().loaded
    assert "the name 'one' is taken by probe_two:gate of two-gates 1.2 too" in broken()["first"]
    assert "the name 'one' is taken by probe_one:gate of one-gates 1.2 too" in broken()["second"]


def test_of_two_gates_with_one_marker_neither_is_used(site):
    site.module("probe_one", GATE.format(name="one"))
    site.module("probe_two", GATE.format(name="two"))
    site.distribution("one-gates", {"same": "probe_one:gate"})
    site.distribution("two-gates", {"same": "probe_two:gate"})
    assert not {"one", "two"} & set(discovery.gates().loaded)
    assert "declared by one-gates 1.2, two-gates 1.2: uninstall all but one" in broken()["same"]


@pytest.mark.parametrize("marker", ["not-a-marker", "gate"])
def test_a_marker_must_be_usable_as_one(site, marker):
    site.module("probe_one", GATE.format(name="one"))
    site.distribution("one-gates", {marker: "probe_one:gate"})
    assert "cannot be a marker" in broken()[marker]
