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
MEMORY = "imports.memory"
NETWORK = "imports.network"
WRITES = "imports.writes-outside"
PROGRAMS = "imports.starts-process"
PRINTS = "imports.prints"
STATE = "imports.global-state"
RUNNING = "imports.left-running"
AT_EXIT = "imports.fails-at-exit"
NAMES = "imports.names-lost"
SYNTAX_WARNING = "imports.syntax-warning"
ORDER = "imports.order-dependent"
UNDECLARED = "imports.undeclared-dependency"
CYCLE = "imports.new-cycle"
CONTRACT = "imports.contract-broken"
LOOSENED = "imports.loosened-baseline"

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
    Rule(MEMORY, "An import stays within its memory."),
    Rule(NETWORK, "An import does not use the network."),
    Rule(WRITES, "An import writes nothing outside the tree but to its temporary folder."),
    Rule(PROGRAMS, "An import starts no process."),
    Rule(PRINTS, "An import prints nothing."),
    Rule(STATE, "An import leaves what all code of a process shares as it was."),
    Rule(RUNNING, "An import leaves no thread and no process running."),
    Rule(AT_EXIT, "What an import registers for the end of the process comes to its end there."),
    Rule(NAMES, "A module has the names that its `__all__` promises."),
    Rule(SYNTAX_WARNING, "The compiler has nothing to warn of."),
    Rule(ORDER, "A module that imports alone imports after any others, too."),
    Rule(UNDECLARED, "Production imports no third party that the project does not declare."),
    Rule(CYCLE, "No modules import each other in a circle that the baseline does not have."),
    Rule(CONTRACT, "The repository's import-linter contracts are kept."),
    Rule(LOOSENED, "The baseline tolerates nothing that the base commit's does not."),
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
    "memory": MEMORY,
}

OF_EFFECT: Mapping[str, str] = {
    "at-exit": AT_EXIT,
    "names": NAMES,
    "network": NETWORK,
    "order": ORDER,
    "prints": PRINTS,
    "programs": PROGRAMS,
    "running": RUNNING,
    "state": STATE,
    "syntax-warning": SYNTAX_WARNING,
    "writes": WRITES,
}

EFFECT_REMEDY: Mapping[str, str] = {
    "at-exit": "let the function bear that nothing of the program is left",
    "names": "correct `__all__`, or define the names",
    "network": "move the call into a function",
    "order": "let the module bring along all it needs, and leave others' state alone",
    "prints": "log it, or move it into a function",
    "programs": "move the call into a function",
    "running": "start it in a function, or when it is first needed",
    "state": "move the change into a function that the program calls",
    "syntax-warning": "write the line as the warning asks",
    "writes": "move the writing into a function",
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
    "memory": "load the data when it is first needed, or raise the limit",
    "exit": 'put the call behind `if __name__ == "__main__":`',
}
