"""Which module somebody means by a word, and from where."""

from __future__ import annotations

import pytest

from pytest_cockpit.api import CockpitError
from pytest_cockpit.registry.health.finding import named
from pytest_cockpit.registry.modules import Module

MODULES = [
    Module(name, path, f"{path}/module.manifest.json", {}, "", ())
    for name, path in (("all", "."), ("quay", "quay"), ("quay.quay", "quay/quay"), ("x", "sea/x"))
]


@pytest.mark.parametrize(
    ("word", "here", "path"),
    [
        (".", ".", "."),
        (".", "sea/x", "sea/x"),
        ("..", "sea/x/y", "sea/x"),
        ("../../quay/", "sea/x", "quay"),
        ("./quay", "quay", "quay/quay"),
        ("quay", "quay", "quay"),
        ("x", "sea", "sea/x"),
        ("sea/x", "quay", "sea/x"),
        ("quay.quay", "sea", "quay/quay"),
    ],
)
def test_a_path_counts_from_the_root_or_from_where_it_is_said(word, here, path):
    assert named(MODULES, word, here).path == path


@pytest.mark.parametrize(("word", "here"), [("..", "."), (".", "quay/docs"), ("y", "sea")])
def test_nothing_else_is_meant(word, here):
    with pytest.raises(CockpitError, match="no such module"):
        named(MODULES, word, here)
