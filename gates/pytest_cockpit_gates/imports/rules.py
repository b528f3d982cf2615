"""The rules of this gate, and which class of failure breaks which."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_cockpit.api import Rule

FAILS = "imports.import-fails"
THIRD_PARTY = "imports.third-party-missing"
OUTSIDE_TREE = "imports.outside-tree"
SHIM_NOT_SAME = "imports.shim-not-same"
SHIM_MISSING = "imports.shim-missing"
HANGS = "imports.hang"
CRASHES = "imports.crash"
EXITS = "imports.exits"
WRITES_TREE = "imports.writes-tree"
UNSTABLE = "imports.unstable"
SLACK = "imports.baseline-slack"
LANE_IMPORT = "imports.lane-import"
UNRESOLVED = "imports.unresolved-first-party"
SHADOWS = "imports.shadows-stdlib"
BESIDE = "imports.module-beside-package"
SYNTAX = "imports.syntax-error"

RULES = (
    Rule(FAILS, "Every judged module can be imported on its own."),
    Rule(THIRD_PARTY, "What judged modules need is installed where the gate runs, or optional."),
    Rule(OUTSIDE_TREE, "A module's name is served by its file in the tree, by nothing installed."),
    Rule(SHIM_NOT_SAME, "The old name of a moved module gives the same module object."),
    Rule(SHIM_MISSING, "A moved module leaves a shim at its old path while shims are on."),
    Rule(HANGS, "An import ends in time."),
    Rule(CRASHES, "An import does not kill the process."),
    Rule(EXITS, "An import does not end the process."),
    Rule(WRITES_TREE, "An import leaves the files of its tree as they are."),
    Rule(UNSTABLE, "A module imports beside others as it does alone."),
    Rule(SLACK, "The baseline tolerates no module that can be imported."),
    Rule(LANE_IMPORT, "Production imports nothing through the lane or a moved module's old path."),
    Rule(UNRESOLVED, "Every import of the repository's own names is served by a file."),
    Rule(SHADOWS, "No top-level module or package has the name of a standard one."),
    Rule(BESIDE, "No module stands beside a package of the same name."),
    Rule(SYNTAX, "Every Python file of the tree can be parsed."),
)

OF_CLASS: Mapping[str, str] = {
    "syntax": SYNTAX,
    "missing-first-party": FAILS,
    "missing-third-party": THIRD_PARTY,
    "transitive": FAILS,
    "exception": FAILS,
    "not-found": FAILS,
    "outside-tree": OUTSIDE_TREE,
    "hang": HANGS,
    "crash": CRASHES,
    "exit": EXITS,
    "writes-tree": WRITES_TREE,
}

REMEDY: Mapping[str, str] = {
    "syntax": "correct the line, or leave the file in the lane",
    "missing-first-party": "import the name from where it is, or restore the file",
    "transitive": "repair the module it names first",
    "exception": "make the import free of side effects that can fail",
    "not-found": "give the file a name and folder by which Python finds it",
    "outside-tree": "uninstall the copy, or rename the module",
    "hang": "move the waiting into a function, or raise `timeout_s`",
    "crash": "find the native code the fault names, or import it lazily",
    "writes-tree": 'write elsewhere, or put the code behind `if __name__ == "__main__":`',
    "exit": 'put the call behind `if __name__ == "__main__":`',
}
