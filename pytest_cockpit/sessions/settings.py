"""The configuration a session works with, checked before anything else is done."""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pytest_cockpit import child, discovery
from pytest_cockpit.api import CockpitError
from pytest_cockpit.config import COCKPIT, PYPROJECT, Config, load
from pytest_cockpit.git import Repository
from pytest_cockpit.records import artifacts

IGNORE = b"*\n!.gitignore\n!promotion_log.md\n"


def load_checked(root: Path, overrides: Sequence[str] = ()) -> Config:
    """The configuration at `root`, its gates and their settings included.

    `overrides` are the arguments of `--cockpit-set`.

    Raises
    ------
    CockpitError: one line for each thing wrong with it.
    """
    chosen = load(root, overrides)
    where = chosen.source.name if chosen.source else "the default configuration"
    where += " with --cockpit-set" if overrides else ""
    names = dict.fromkeys((*chosen.gates, *chosen.freeze.gates))
    installed = discovery.gates()
    problems = [line for name in names for line in _problems(chosen, name, where, installed)]
    if problems:
        raise CockpitError("\n".join(problems))
    return chosen


def load_for_batch(
    repository: Repository, base: str, *, seals: bool, overrides: Sequence[str] = ()
) -> Config:
    """The configuration of the work tree, which must be the committed one if the session seals.

    Raises
    ------
    CockpitError: it is wrong, or a batch would be sealed by rules that are not in git.
    """
    chosen = load_checked(repository.root, overrides)
    if seals and chosen.digest() != committed(repository, base).digest():
        name = chosen.source.name if chosen.source else f"{COCKPIT} or {PYPROJECT}"
        if overrides:
            raise CockpitError(
                "--cockpit-set: only what the committed configuration judged is sealed; add "
                "--cockpit-dry-run, or write the setting down and commit it"
            )
        raise CockpitError(
            f"{name}: the configuration differs from the commit's; commit it first, so that the "
            "rules it was judged by are in git (--cockpit-dry-run works without)"
        )
    return chosen


def freezing_gates(chosen: Config) -> tuple[str, ...]:
    """The gates that judge a production freeze.

    Raises
    ------
    CockpitError: each of them is declared not applicable.
    """
    names = chosen.freeze.gates or chosen.gates
    if all(map(chosen.skip, names)):
        raise CockpitError(
            f"tool.cockpit.freeze.gates: {', '.join(names)}: each is skipped, and a production "
            "freeze needs a gate that judges it; name one that is not"
        )
    return tuple(names)


def artifacts_folder(root: Path, chosen: Config) -> Path:
    """The artifacts folder; a new or empty one is kept out of git but for the log of promotions."""
    folder = root / chosen.artifacts
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        artifacts.write_bytes(folder / ".gitignore", IGNORE)
    return folder


def uncommitted(repository: Repository, chosen: Config) -> list[str]:
    """Paths that differ from `HEAD`, but for what sessions write to the artifacts folder."""
    own = f"{chosen.artifacts}/"
    return [path for path in repository.dirty() if not path.startswith(own)]


def committed(repository: Repository, base: str) -> Config:
    """The configuration that a commit has.

    Raises
    ------
    CockpitError: it is wrong.
    """
    with tempfile.TemporaryDirectory(prefix="cockpit-") as folder:
        for name in (PYPROJECT, COCKPIT):
            content = repository.blob(base, name)
            if content is not None:
                Path(folder, name).write_bytes(content)
        return load(Path(folder))


def _problems(chosen: Config, name: str, where: str, installed: discovery.Gates) -> list[str]:
    if name in installed.loaded:
        if chosen.skip(name):
            return []
        errors = child.settings_errors(installed.loaded[name].gate, chosen.gate.get(name, {}))
        if chosen.source is not None and chosen.source.name == COCKPIT:
            errors = [error.replace("tool.cockpit.", "", 1) for error in errors]
        return [f"{where}: {error}" for error in errors]
    broken = [f"{item.marker}: {item.error}" for item in installed.broken]
    if broken:
        return [f"{where}: gates: {name}: could not be loaded; broken: {'; '.join(broken)}"]
    near = difflib.get_close_matches(name, installed.loaded, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"installed: {', '.join(installed.loaded)}"
    return [f"{where}: gates: no gate {name!r} is installed; {hint}"]
