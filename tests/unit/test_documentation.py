"""What the documentation lists is what there is."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from _pytest.config.argparsing import Parser

ROOT = Path(__file__).parents[2]
OPTION = re.compile(r"--cockpit-[a-z]+(?:-[a-z0-9]+)*")


def options() -> set[str]:
    source = files("pytest_cockpit").joinpath("plugin.py").read_text(encoding="utf-8")
    return set(re.findall(r'"(--cockpit-[a-z-]+)"', source))


def options_of_gates() -> set[str]:
    """Those that plugins of built-in gates declare."""
    parser = Parser(_ispytest=True)
    for entry in entry_points(group="pytest11"):
        if entry.value.startswith("pytest_cockpit_gates."):
            entry.load().pytest_addoption(parser, pytest.PytestPluginManager())
    words = (
        word for group in parser._groups for option in group.options for word in option.names()
    )
    return {word for word in words if word.startswith("--cockpit-")}


def keys(schema: dict[str, Any], prefix: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for name, part in schema["properties"].items():
        below = keys(part, (*prefix, name)) if "properties" in part else {(*prefix, name)}
        found |= below
    return found


def config_keys() -> set[tuple[str, ...]]:
    schema = files("pytest_cockpit").joinpath("schemas", "config.json").read_text(encoding="utf-8")
    return keys(json.loads(schema)) - {("gate",)}


@pytest.mark.parametrize("page", ["docs/options.md", "README.md"])
def test_every_option_is_listed(page):
    listed = set(OPTION.findall((ROOT / page).read_text(encoding="utf-8")))
    assert options() <= listed


def test_every_option_of_a_gate_is_listed():
    listed = set(OPTION.findall((ROOT / "docs/options.md").read_text(encoding="utf-8")))
    assert len(options_of_gates()) > 20
    assert options_of_gates() <= listed


def test_no_page_names_an_option_that_does_not_exist():
    pages = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md"), ROOT / "examples/demo.py"]
    named = {name for page in pages for name in OPTION.findall(page.read_text(encoding="utf-8"))}
    assert named <= options() | options_of_gates()


def test_every_key_of_the_configuration_is_listed_below_its_table():
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    tables = dict(
        re.findall(
            r"^## `\[tool\.cockpit\.?([a-z]*)[^\n]*\n(.*?)(?=^## |\Z)",
            page,
            re.MULTILINE | re.DOTALL,
        )
    )
    for *table, key in config_keys():
        assert f"| `{key}` |" in tables[".".join(table)], (table, key)


def test_the_starter_configuration_shows_every_key_with_a_valid_value():
    starter = files("pytest_cockpit").joinpath("starter.toml").read_text(encoding="utf-8")
    shown = re.sub(r"^# (\S+ = )", r"\1", starter, flags=re.MULTILINE)
    shown = re.sub(r"^# (\[)", r"\1", shown, flags=re.MULTILINE)
    table = tomllib.loads(shown)
    missing = [
        ".".join(path)
        for path in config_keys() - {("lane", "aliases")}
        if path[-1] not in (table if len(path) == 1 else table[path[0]])
    ]
    assert missing == []


def test_every_built_in_gate_has_a_page_and_a_row_in_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    everyday = (ROOT / "docs/everyday-gates.md").read_text(encoding="utf-8")
    for entry in entry_points(group="pytest_cockpit.gates"):
        if entry.value.startswith("pytest_cockpit_gates."):
            name = re.split(r"[.:]", entry.value)[1]
            assert (ROOT / f"docs/gates/{name}.md").is_file()
            assert f"`{entry.name}`" in readme
            assert f"`{entry.name}`" in everyday


@pytest.mark.parametrize("page", sorted(path.name for path in ROOT.glob("*.md")))
def test_every_relative_link_of_a_top_level_page_leads_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = {target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)}
    missing = [
        target
        for target in sorted(targets)
        if target and "://" not in target and not (ROOT / target).exists()
    ]
    assert missing == []
