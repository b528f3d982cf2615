"""Which modules a tree has, and which files are theirs."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from pytest_cockpit import phases
from pytest_cockpit.config import Config, Registry
from pytest_cockpit.git import Repository
from pytest_cockpit.phases import Place
from pytest_cockpit.registry.modules import discover


def place(root, settings=None, tree=None):
    repository = Repository.discover(root)
    head = repository.resolve("HEAD")
    return Place(
        repository, settings or Config(), tree or head, head, datetime(2026, 1, 2, tzinfo=UTC)
    )


def manifest(name):
    return json.dumps({"module": name})


def test_a_file_belongs_to_the_innermost_module(make_repository):
    made = make_repository(
        {
            "a/module.manifest.json": manifest("alpha"),
            "a/x.py": "",
            "a/b/module.manifest.json": manifest("beta"),
            "a/b/y.py": "",
            "a/b/deep/z.py": "",
            "c/w.py": "",
        }
    )
    outer, inner = discover(place(made.root))
    assert (outer.name, outer.path, outer.python) == ("alpha", "a", ("a/x.py",))
    assert (inner.name, inner.python) == ("beta", ("a/b/deep/z.py", "a/b/y.py"))
    assert inner.inner("a/b/deep/z.py") == "deep/z.py"


def test_a_manifest_at_the_top_makes_the_whole_repository_a_module(make_repository):
    made = make_repository({"module.manifest.json": manifest("all"), "x.py": "", "a/y.py": ""})
    (module,) = discover(place(made.root))
    assert (module.path, module.python, module.inner("a/y.py")) == (
        ".",
        ("a/y.py", "x.py"),
        "a/y.py",
    )


def test_what_cannot_be_read_is_a_fault_and_no_crash(make_repository):
    made = make_repository(
        {
            "a/module.manifest.json": "{",
            "b/module.manifest.json": "[]",
            "c/module.manifest.json": "{}",
            "d/module.manifest.json": ("120000", "../x"),
            "e/module.manifest.json": b"\xff",
        }
    )
    found = {module.path: module.unreadable for module in discover(place(made.root))}
    assert found["a"].startswith("not JSON")
    assert found["b"] == "expected an object"
    assert found["c"] == "", "what it lacks is the schema's to say"
    assert found["d"] == "is no file"
    assert found["e"].startswith("not JSON")


def test_excluded_folders_are_no_modules_and_their_files_go_to_the_one_above(make_repository):
    made = make_repository(
        {
            "a/module.manifest.json": manifest("a"),
            "a/vendor/module.manifest.json": manifest("v"),
            "a/vendor/x.py": "",
        }
    )
    settings = Config(registry=Registry(exclude=("**/vendor",)))
    (module,) = discover(place(made.root, settings))
    assert module.python == ("a/vendor/x.py",)


def test_untracked_and_ignored_files_are_not_seen_and_edited_ones_are(make_repository):
    made = make_repository({"a/module.manifest.json": manifest("a"), ".gitignore": "cache/\n"})
    made.git("reset", "--hard", "-q")
    (made.root / "a/module.manifest.json").write_text(manifest("edited"))
    for folder in ("b", "cache"):
        (made.root / folder).mkdir()
        (made.root / folder / "module.manifest.json").write_text(manifest(folder))
    index = made.git("ls-files", "-s")
    tracked = Repository.discover(made.root).tracked()
    assert [module.name for module in discover(place(made.root, tree=tracked))] == ["edited"]
    assert [module.name for module in discover(place(made.root))] == ["a"]
    assert made.git("ls-files", "-s") == index


def test_the_clock_can_be_fixed(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert phases.clock() == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
