"""Which module somebody means."""

from __future__ import annotations

import difflib
import posixpath
from collections.abc import Sequence

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records.text import one_line, printable
from pytest_cockpit.registry.modules import Module

_NAMED = 5


def named(modules: Sequence[Module], word: str, here: str = ".") -> Module:
    """The module with this path or name.

    Parameters
    ----------
    here: the folder of the repository that a path may be relative to as well.

    Raises
    ------
    CockpitError: there is none, or several share the name; the text names those that are meant.
    """
    found = _at(modules, word) if word.partition("/")[0] not in {".", ".."} else []
    found = found or [module for module in modules if word == module.name]
    found = found or _at(modules, posixpath.join(here, word))
    if len(found) == 1:
        return found[0]
    if found:
        paths = ", ".join(printable(module.path) for module in found[:_NAMED])
        more = f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
        raise CockpitError(
            f"--cockpit-explain {one_line(word)}: {len(found):,} modules have this name; "
            f"give the path of one: {one_line(paths)}{more}"
        )
    raise CockpitError(f"--cockpit-explain {one_line(word)}: no such module{_near(modules, word)}")


def _at(modules: Sequence[Module], path: str) -> list[Module]:
    path = posixpath.normpath(path)
    return [module for module in modules if path == printable(module.path)]


def _near(modules: Sequence[Module], word: str) -> str:
    if not modules:
        return "; there is none, as no file matches tool.cockpit.registry.manifests"
    known: dict[str, str] = {}
    for module in modules:
        path = printable(module.path)
        known |= dict.fromkeys((module.name.casefold(), path.casefold()), path)
    close = difflib.get_close_matches(word.casefold(), known, n=_NAMED)
    if not close:
        return "; MODULE_INDEX.md lists them"
    paths = dict.fromkeys(known[name] for name in close)
    return f"; did you mean {one_line(' or '.join(paths))}?"
