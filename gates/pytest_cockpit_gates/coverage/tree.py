"""The Python files under judgement: those that git knows or would add, or all on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_cockpit.analysis.files import python_files
from pytest_cockpit.analysis.layout import Layout
from pytest_cockpit.analysis.shim import is_shim
from pytest_cockpit.api import SHIM_MARK, Context

_MARK = SHIM_MARK.encode()


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of one tree.

    Parameters
    ----------
    root: the tree's folder, symbolic links resolved, as coverage records it.
    sources: repository-relative paths whose lines count.
    shims: those that only say where a module went; their lines do not count.
    modules: path by dotted name, for every Python file and for the sources of the moves.
    paths: every Python file.
    """

    root: Path
    sources: tuple[str, ...]
    shims: frozenset[str]
    modules: Mapping[str, str]
    paths: frozenset[str]


def survey(context: Context) -> Tree:
    """List the tree of `context`."""
    root = context.root.resolve()
    paths = sorted(path for path in python_files(root) if _regular(root / path))
    shims = frozenset(path for path in paths if _is_shim(root / path))
    prefixes = _prefixes(context)
    layout = Layout(context.lane)
    named = {layout.module_of(path): path for path in [*_sources_of(context), *paths]}
    return Tree(
        root=root,
        sources=tuple(path for path in paths if path.startswith(prefixes) and path not in shims),
        shims=shims,
        modules={name: path for name, path in named.items() if name is not None},
        paths=frozenset(paths),
    )


def _sources_of(context: Context) -> Iterator[str]:
    return (move.source for move in context.moves)


def _prefixes(context: Context) -> tuple[str, ...]:
    """What the paths that count begin with: source roots, the lane, and where it goes."""
    lane = context.lane
    folders = {folder.strip("/") for folder in (*lane.source_roots, lane.path, lane.root)}
    return tuple("" if folder in {"", "."} else f"{folder}/" for folder in sorted(folders))


def _regular(path: Path) -> bool:
    # A link's lines are counted where they are, once.
    return path.is_file() and not path.is_symlink()


def _is_shim(path: Path) -> bool:
    try:
        with path.open("rb") as source:
            head = source.read(len(_MARK))
            # Most files are none, and need not be read.
            return head == _MARK and is_shim(head + source.read())
    except OSError:
        return False
