"""What keeps one lane file from being moved, each file judged by itself.

Every rule is a function from a file and the ground it stands on to the words of a refusal, or
None. The first rule that refuses a file speaks for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pytest_cockpit.analysis.graph import Missing
from pytest_cockpit.analysis.layout import INIT, is_name
from pytest_cockpit.config import Config
from pytest_cockpit.promotion.ground import File, Ground, above, folded, quoted
from pytest_cockpit.promotion.plan import Refusal
from pytest_cockpit.promotion.snapshot import Snapshot
from pytest_cockpit.records.text import one_line, printable

_LINK = "120000"
_INSTALLED = frozenset({"site-packages", "dist-packages"})


def refusals(snapshot: Snapshot, config: Config, failures: Mapping[str, Any]) -> dict[str, Refusal]:
    """Refusals by path. `failures` are the files known not to import, as in the baseline."""
    ground = Ground(snapshot, config, failures)
    files = [File(path, ground) for path in snapshot.waiting]
    found: dict[str, Refusal] = {}
    for file in files:
        for rule, judge in RULES:
            message = judge(file)
            if message is not None:
                found[file.path] = Refusal(file.path, rule, message)
                break
    for path, message in _collisions([file for file in files if file.path not in found], ground):
        found[path] = Refusal(path, "case-collision", message)
    return found


def _non_utf8_name(file: File) -> str | None:
    if printable(file.path) == file.path:
        return None
    return "the name is not UTF-8; rename the file"


def _gitlink(file: File) -> str | None:
    if file.entry.kind == "commit":
        return "a submodule's content is not in this repository; move it by hand"
    inside = _parent_of_mode(file, "160000")
    return inside and f"{quoted(inside)} is a submodule; files cannot be moved into it"


def _symlink(file: File) -> str | None:
    if file.entry.mode != _LINK:
        return None
    return "a symbolic link; replace it by an import of the file it points to, or remove it"


def _excluded(file: File) -> str | None:
    if not file.ground.excluded(file.path):
        return None
    return "excluded by tool.cockpit.lane.exclude; take its glob out to promote it"


def _virtual_environment(file: File) -> str | None:
    for folder in above(file.path):
        if f"{folder}/pyvenv.cfg" in file.ground.entries or _INSTALLED & {_last(folder)}:
            return f"{quoted(folder)} holds installed packages; remove it from git"
    return None


def _not_a_module_name(file: File) -> str | None:
    odd = [part for part in file.parts if not is_name(part)]
    if not odd:
        return None
    return f"{quoted(odd[0])} cannot be written in an import statement; rename it"


def _conftest(file: File) -> str | None:
    if _last(file.path) != "conftest.py":
        return None
    return "pytest loads conftest.py by its place; move its fixtures by hand"


def _missing_object(file: File) -> str | None:
    if file.facts is not None:
        return None
    return f"blob {file.entry.oid[:12]} is not in the object store; run git fetch --refetch"


def _syntax_error(file: File) -> str | None:
    if file.facts is None or file.facts.error is None:
        return None
    return syntax_message(*file.facts.error)


def syntax_message(message: str, line: int) -> str:
    """The words for a file that does not compile."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return f"line {line}: {one_line(message)} (Python {version}); make it compile"


def _bidi_control(file: File) -> str | None:
    if file.facts is None or not file.facts.bidi:
        return None
    return (
        f"{_on_lines(file.facts.bidi)} has bidirectional control characters, so the code does not "
        "read as it runs; write them as escapes"
    )


def _already_there(file: File) -> str | None:
    there = file.ground.entries.get(file.target)
    if there is None or there.oid != file.entry.oid:
        return None
    return f"{quoted(file.target)} has the same content; remove the lane's copy"


def _target_exists(file: File) -> str | None:
    ground = file.ground
    if file.target in ground.entries:
        return f"{quoted(file.target)} exists with other content; merge the two by hand"
    if file.target in ground.folders:
        return f"{quoted(file.target)} is a folder; rename one of the two"
    for folder in above(file.target):
        there = ground.entries.get(folder)
        if there is not None and there.kind == "blob" and there.mode != _LINK:
            return f"{quoted(folder)} is a file where a folder is needed; rename one of the two"
    return None


def _target_under_symlink(file: File) -> str | None:
    link = _parent_of_mode(file, _LINK)
    return link and f"{quoted(link)} is a symbolic link; replace it by the folder itself"


def _parent_of_mode(file: File, mode: str) -> str | None:
    entries = file.ground.entries
    return next(
        (
            folder
            for folder in above(file.target)
            if folder in entries and entries[folder].mode == mode
        ),
        None,
    )


def _module_beside_package(file: File) -> str | None:
    entries, lane = file.ground.entries, file.ground.layout
    if _last(file.path) != INIT and f"{file.path.removesuffix('.py')}/{INIT}" in entries:
        return (
            f"the package {quoted(file.path.removesuffix('.py') + '/')} hides this module; merge "
            "it into the package or rename it"
        )
    for folder in filter(lane.is_lane, above(file.path)):
        if f"{folder}.py" in entries and f"{folder}/{INIT}" not in entries:
            return (
                f"the module {quoted(folder + '.py')} hides this folder, so nothing in it can be "
                "imported; rename one of the two"
            )
    return None


def _target_module_package_clash(file: File) -> str | None:
    entries, folders = file.ground.entries, file.ground.folders
    stem = file.target.removesuffix(".py")
    if _last(file.target) != INIT and folders.get(stem):
        return f"{quoted(stem + '/')} is a package beside the target; rename one of the two"
    for folder in above(file.target):
        if f"{folder}.py" in entries and f"{folder}/{INIT}" not in entries:
            return f"{quoted(folder + '.py')} is a module where a package is needed; rename one"
    return None


def _shadows_stdlib(file: File) -> str | None:
    layout = file.ground.layout
    top = (layout.module_of(file.target) or "").partition(".")[0]
    if top not in sys.stdlib_module_names:
        return None
    names = {f"{top}.py", f"{top}/{INIT}"}
    if any(f"{root}{name}" in file.ground.entries for root in layout.sources for name in names):
        return None
    return f"{quoted(top)} would hide the standard library's module of that name; rename it"


def _unresolved_import(file: File) -> str | None:
    missing = [item for item in _missing(file) if not item.optional]
    if not missing:
        return None
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return (
        f"line {missing[0].line}: nothing serves {quoted(missing[0].name)}{more}; correct the "
        "import, or guard it with try/except ImportError"
    )


def _lane_import(file: File) -> str | None:
    optional = [item for item in _missing(file) if item.optional]
    if not optional:
        return None
    return (
        f"line {optional[0].line}: tries {quoted(optional[0].name)}, which is not in the lane; "
        "nothing outside the lane may import through it: remove the attempt"
    )


def _missing(file: File) -> Sequence[Missing]:
    return file.ground.snapshot.graph.missing.get(file.path, ())


def _needs_lane_marker(file: File) -> str | None:
    lane = file.ground.layout.lane.path
    if f"{lane}/{INIT}" not in file.ground.snapshot.graph.needs.get(file.path, ()):
        return None
    return f"imports the lane itself, and {lane}/{INIT} never moves; import what it gives directly"


def _import_failure_baseline(file: File) -> str | None:
    reason = _known_failure(file, file.path)
    if reason is None:
        return None
    return f"known not to import: {reason}; make it import, then take it out of the baseline"


def _target_package_broken(file: File) -> str | None:
    for folder in above(file.target):
        package = f"{folder}/{INIT}"
        reason = _known_failure(file, package)
        if reason is not None:
            return (
                f"its package {quoted(package)} is known not to import: {reason}; make it import, "
                "then take it out of the baseline"
            )
    return None


def _known_failure(file: File, path: str) -> str | None:
    """Why the baseline of imports lists a path, or None."""
    failure = file.ground.failures.get(printable(path))
    if failure is None:
        return None
    words = [str(failure[key]) for key in ("class", "message") if failure.get(key)]
    return one_line(": ".join(words) or "no reason recorded")


RULES: tuple[tuple[str, Callable[[File], str | None]], ...] = (
    ("non-utf8-name", _non_utf8_name),
    ("gitlink", _gitlink),
    ("symlink", _symlink),
    ("excluded", _excluded),
    ("virtual-environment", _virtual_environment),
    ("not-a-module-name", _not_a_module_name),
    ("conftest", _conftest),
    ("missing-object", _missing_object),
    ("syntax-error", _syntax_error),
    ("bidi-control", _bidi_control),
    ("already-there", _already_there),
    ("target-exists", _target_exists),
    ("target-under-symlink", _target_under_symlink),
    ("module-beside-package", _module_beside_package),
    ("target-module-package-clash", _target_module_package_clash),
    ("shadows-stdlib", _shadows_stdlib),
    ("unresolved-import", _unresolved_import),
    ("lane-import", _lane_import),
    ("needs-lane-marker", _needs_lane_marker),
    ("import-failure-baseline", _import_failure_baseline),
    ("target-package-broken", _target_package_broken),
)


def _collisions(files: Iterable[File], ground: Ground) -> Iterator[tuple[str, str]]:
    """Targets that some file systems take for another target, or for what is there already."""
    spelled = {key: set(paths) for key, paths in ground.spellings.items()}
    wanted = {file.path: [file.target, *above(file.target)] for file in files}
    for paths in wanted.values():
        for path in paths:
            spelled.setdefault(folded(path), set()).add(path)
    for source, paths in wanted.items():
        for path in paths:
            others = spelled[folded(path)] - {path}
            if others:
                message = (
                    f"{quoted(path)} and {quoted(min(others))} are one path where case or Unicode "
                    "form is ignored; rename one of the two"
                )
                yield source, message
                break


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _on_lines(lines: tuple[int, ...]) -> str:
    return f"line {lines[0]}" + (f" and {len(lines) - 1} more" if len(lines) > 1 else "")
