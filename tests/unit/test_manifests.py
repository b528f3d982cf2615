"""What is odd about manifests is said, whatever they are."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.config import Config
from pytest_cockpit.git import Entry, Repository
from pytest_cockpit.phases import Place
from pytest_cockpit.records import artifacts, schema
from pytest_cockpit.registry import contents, manifests, module_registry
from pytest_cockpit.registry.modules import Module, discover, survey
from pytest_cockpit.registry.public_api import PublicApi

DATA = Path(__file__).parents[1] / "data/runbook/manifests"
NAME = "module.manifest.json"
MORE = os.environ.get("COCKPIT_MANIFESTS")
"""A folder with more manifests that were published, to be read as well."""


def placed(root):
    repository = Repository.discover(root)
    head = repository.resolve("HEAD")
    return Place(repository, Config(), head, head, datetime(2026, 1, 2, tzinfo=UTC))


@pytest.fixture
def faults(make_repository):
    """What is odd about the manifests of these files: pointer and words, by module."""

    def look(files):
        text = {
            path: json.dumps(content) if isinstance(content, dict) else content
            for path, content in files.items()
        }
        place = placed(make_repository(text).root)
        found = manifests.faults(place, discover(place))
        return {path: [(each.pointer, each.what) for each in rows] for path, rows in found.items()}

    return look


def test_a_manifest_as_it_should_be(faults):
    manifest = {
        "module": "quay",
        "dependencies": ["tides"],
        "layout": {"paths": {"code": ".", "docs": "docs", "tests": "../tests/quay"}},
        "links": {"docs": "./README.md", "repo": "https://example.org/quay"},
        "contracts": ["contracts/quay.json", "own.json"],
        "matrix": {"contract": "", "lane": "L2"},
        "testing": {
            "coverage_observed": 81.25,
            "observed_at": "2026-01-31T12:00:00.25+01:00",
            "observed_commit": "0" * 40,
        },
        "x_anything": {"of": ["its", 0.1]},
    }
    assert faults(
        {
            f"quay/{NAME}": manifest,
            f"tides/{NAME}": {"module": "tides"},
            "quay/docs/guide.md": "",
            "quay/README.md": "",
            "quay/own.json": "",
            "contracts/quay.json": "",
            "tests/quay/test_quay.py": "",
        }
    ) == {"quay": [], "tides": []}


@pytest.mark.parametrize(
    ("says", "pointer", "what"),
    [
        ({"module": 5}, "/module", "expected dotted name of the module, got 5"),
        ({"module": ""}, "/module", 'expected dotted name of the module, got ""'),
        ({"module": "a/b"}, "/module", 'expected dotted name of the module, got "a/b"'),
        ({"module": "dock"}, "/module", "is 'dock'; its folder is 'quay'"),
        ({"dependencies": ["tides"]}, "/dependencies/0", "'tides' is the name of no module"),
        ({"dependencies": "tides"}, "/dependencies", 'expected array, got "tides"'),
        (
            {"testing": {"coverage_observed": "85%"}},
            "/testing/coverage_observed",
            'expected percentage as a number ≥ 0 and ≤ 100, got "85%"',
        ),
        (
            {"testing": {"coverage_observed": 850}},
            "/testing/coverage_observed",
            "expected percentage as a number ≥ 0 and ≤ 100, got 850",
        ),
        (
            {"testing": {"observed_at": "2026-01-31T12:00:00"}},
            "/testing/observed_at",
            'expected time with its offset from UTC, such as 2026-01-31T12:00:00Z, got "2026-01-31T12:00:00"',
        ),
        (
            {"layout": {"paths": {"docs": "docs"}}},
            "/layout/paths/docs",
            "'docs' is no tracked file or folder",
        ),
        (
            {"layout": {"paths": {"tests": "../../x"}}},
            "/layout/paths/tests",
            "'../../x' leads out of the repository",
        ),
        ({"links": {"docs": "/etc"}}, "/links/docs", "'/etc' leads out of the repository"),
        ({"links": {"docs": ""}}, "/links/docs", "is empty"),
        (
            {"contracts": ["a.json"]},
            "/contracts/0",
            "'a.json' is no tracked file, in the module or in the repository",
        ),
        (
            {"matrix": {"contract": "../../a.json"}},
            "/matrix/contract",
            "'../../a.json' is no tracked file, in the module or in the repository",
        ),
        (
            {"_provenance": {"apis": {"extracted_at": "2026-01-31T12:00:00Z"}}},
            "/_provenance",
            "holds the times of a generator's run: each run makes a difference",
        ),
        ({"tags": ["a", "a"]}, "/tags", 'expected each item once, got "a" twice'),
    ],
)
def test_each_oddity_is_said(faults, says, pointer, what):
    found = faults({f"quay/{NAME}": {"module": "quay", **says}})["quay"]
    assert (pointer, what) in found


@pytest.mark.parametrize("content", ["{", "[]", b"\xff", '{"module": "a", "module": "b"}', "1"])
def test_what_cannot_be_read_has_one_fault_and_is_a_module(faults, content):
    found = faults({f"quay/{NAME}": content})
    assert [pointer for pointer, _ in found["quay"]] == [""]


def test_a_name_twice_is_said_of_both_and_of_who_needs_it(faults):
    found = faults(
        {
            f"core/{NAME}": {"module": "core"},
            f"lib/core/{NAME}": {"module": "core"},
            f"quay/{NAME}": {"module": "quay", "dependencies": ["core"]},
        }
    )
    assert found == {
        "core": [("/module", "is the name of lib/core as well")],
        "lib/core": [
            ("/module", "is 'core'; its folder is 'lib.core'"),
            ("/module", "is the name of core as well"),
        ],
        "quay": [("/dependencies/0", "'core' is the name of core, lib/core")],
    }


@pytest.mark.parametrize(
    "folder", [DATA, *([Path(MORE)] if MORE else [])], ids=lambda path: path.name
)
def test_published_manifests_are_read_with_what_is_odd_about_them(make_repository, folder):
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob(NAME)}
    place = placed(make_repository(files).root)
    found = survey(place)
    assert len(found.modules) == len(files) > 3
    assert all(module.declared for module in found.modules)
    document = module_registry.document(place, found)
    assert artifacts.validate(document, "module_registry") == []
    told = {row["path"]: {each["what"] for each in row["faults"]} for row in document["modules"]}
    # Of all published manifests, the shape is as the schema has it; names and paths are not.
    assert [
        module.path
        for module in found.modules
        if schema.problems(module.declared, "module_manifest")
    ] == []
    assert "is 'core'; its folder is 'lukhas.core'" in told["lukhas/core"]
    assert "is the name of lukhas/core as well" in told["core"]
    assert "is 'final-sweep'; its folder is 'final_sweep'" in told["final_sweep"]
    assert all(any("generator" in what for what in each) for each in told.values())


KEYS = st.sampled_from([*schema.load("module_manifest")["properties"], "paths", "tests", "x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, JSON), st.sampled_from([".", "quay", "a/b"]))
def test_any_manifest_is_told_about_in_one_line_each(declared, path):
    name = declared.get("module")
    module = Module(
        name if isinstance(name, str) and name else path,
        path,
        f"{path}/{NAME}",
        declared,
        "",
        ("a.py",),
    )
    place = Unread({"a.py": Entry("a.py", "100644", "blob", "0" * 40)})
    found = manifests.faults(place, [module])[path]  # type: ignore[arg-type] # as much of a place
    assert all(each.what and each.what.isprintable() for each in found)
    assert contents.tests(place, [module])[path] == ()  # type: ignore[arg-type] # the same
    row = module_registry._row(place, module, [], PublicApi(), found)  # type: ignore[arg-type] # the same
    document = {"schema": module_registry.SCHEMA, "module_count": 1, "modules": [row]}
    document |= {"without_manifest": [], "artefacts": []}
    assert artifacts.validate(document, "module_registry") == []


class Unread:
    """A tree of which only the paths are known."""

    def __init__(self, entries):
        self.entries = entries
        self.settings = Config()
