"""What is installed is what is here, and it needs what it says it needs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

from pytest_cockpit.api import Gate

ROOT = Path(__file__).parents[2]
PACKAGES = {"pytest_cockpit": ROOT, "pytest_cockpit_gates": ROOT / "gates"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

OPTIONAL = ("gemm", "github", "imports", "policy", "scaffold", "sign", "sweep", "telemetry")
HELD_BACK = {"hishel"}
"""Declared to keep what another dependency takes to a version that works with it."""
MODULES = {
    "pyyaml": "yaml",
    "import_linter": "importlinter",
    "pytest_xdist": "xdist",
    "opentelemetry_sdk": "opentelemetry",
    "opentelemetry_semantic_conventions": "opentelemetry",
}


def sources():
    for package, folder in PACKAGES.items():
        yield from (
            (path, path.relative_to(folder).as_posix())
            for path in (folder / package).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        )


def test_the_wheel_holds_both_packages_and_nothing_else(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == {name for _, name in sources()}


def imported(path):
    """Top-level names that a file imports, but for scripts that lie beside it."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        else:
            continue
        tops = {name.partition(".")[0] for name in names}
        yield from (name for name in tops if not (path.parent / f"{name}.py").is_file())


def test_every_dependency_is_imported_and_every_import_is_a_dependency():
    extras = {text for name in OPTIONAL for text in PROJECT["optional-dependencies"][name]}
    declared = {
        re.split(r"[^\w-]", text)[0].replace("-", "_").lower()
        for text in (*PROJECT["dependencies"], *extras)
    }
    declared = {MODULES.get(name, name) for name in declared - HELD_BACK}
    names = {name for path, _ in sources() if path.suffix == ".py" for name in imported(path)}
    assert names - sys.stdlib_module_names - PACKAGES.keys() - {"_pytest"} == declared


def test_every_built_in_gate_loads():
    declared = PROJECT["entry-points"]["pytest_cockpit.gates"]
    installed = {entry.name: entry for entry in entry_points(group="pytest_cockpit.gates")}
    for marker, value in declared.items():
        assert installed[marker].value == value
        assert isinstance(installed[marker].load(), Gate)
