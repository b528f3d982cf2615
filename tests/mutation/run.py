"""Change the rule engines in every small way and see whether their tests notice.

`python tests/mutation/run.py [--children N] [ENGINE …]` works on a clone of HEAD below build/ and
ends with 1 when less than 90 % of an engine's mutants are killed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
ENOUGH = 0.9


def main() -> int:
    """Run the engines named on the command line; all of them when none is."""
    engines = tomllib.loads((ROOT / "tests/mutation/engines.toml").read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engines", nargs="*", metavar="ENGINE", help=", ".join(engines))
    parser.add_argument("--children", type=int, default=2, metavar="N")
    arguments = parser.parse_args()
    unknown = set(arguments.engines) - set(engines)
    if unknown:
        parser.error(f"no engine {', '.join(sorted(unknown))}; there are {', '.join(engines)}")
    scores = {
        name: _score(name, engines[name], arguments.children)
        for name in arguments.engines or engines
    }
    for name, (killed, judged) in scores.items():
        print(f"{name}: {killed} of {judged} killed, {killed / judged:.1%}")
    return int(any(killed < ENOUGH * judged for killed, judged in scores.values()))


def _score(name: str, engine: dict[str, Any], children: int) -> tuple[int, int]:
    """How many mutants were killed, and how many there are."""
    clone = ROOT / "build/mutants" / name
    shutil.rmtree(clone, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    # mutmut finds tests for modules below `src` alone.
    (clone / "gates").rename(clone / "src")
    pyproject = clone / "pyproject.toml"
    settings = pyproject.read_text(encoding="utf-8").replace(
        'pythonpath = ["."]', 'pythonpath = [".", "src"]'
    )
    pyproject.write_text(settings + _settings(engine), encoding="utf-8")
    mutmut = [sys.executable, "-m", "mutmut"]
    # It copies into a folder that must be on the path before Python starts: the first run makes it.
    (clone / "mutants").mkdir()
    subprocess.run([*mutmut, "run", "--max-children", str(children)], cwd=clone, check=False)
    subprocess.run([*mutmut, "export-cicd-stats"], cwd=clone, check=True)
    found = json.loads((clone / "mutants/mutmut-cicd-stats.json").read_text(encoding="utf-8"))
    return found["killed"] + found["timeout"], found["total"]


def _settings(engine: dict[str, Any]) -> str:
    folder = f"src/pytest_cockpit_gates/{engine['folder']}"
    arguments = ["-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider", "-x", "-q"]
    if "leave" in engine:
        arguments += ["-k", f"not ({engine['leave']})"]
    table = {
        "source_paths": [f"{folder}/{module}.py" for module in engine["modules"]],
        "also_copy": ["pytest_cockpit", "src", "docs", "conftest.py", "README.md", "LICENSE"],
        "pytest_add_cli_args": arguments,
        "pytest_add_cli_args_test_selection": engine["tests"],
        "max_stack_depth": -1,
    }
    return "\n[tool.mutmut]\n" + "".join(f"{key} = {json.dumps(it)}\n" for key, it in table.items())


if __name__ == "__main__":
    sys.exit(main())
