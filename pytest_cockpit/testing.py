"""Help for authors of gates: a gate run on a small tree, and its proofs seen holding.

Needs no pytest; every function returns what it found and asserts nothing.
"""

from __future__ import annotations

import importlib.util
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_cockpit import child, discovery, process
from pytest_cockpit.api import CockpitError, Context, Gate, Proof, Report, Verdict

Files = Mapping[str, str | bytes]

_ANY_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_GIT_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "cockpit proof",
    "GIT_AUTHOR_EMAIL": "proof@example.invalid",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_NAME": "cockpit proof",
    "GIT_COMMITTER_EMAIL": "proof@example.invalid",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
}


def run_gate(
    gate_or_name: Gate | str,
    files: Files,
    *,
    tmp_path: Path,
    base_files: Files | None = None,
    links: Mapping[str, str] | None = None,
    **context: Any,
) -> Report:
    """What a gate says of a tree made of `files`, judged in this process.

    Parameters
    ----------
    gate_or_name: a gate, or the short name of an installed one.
    files: repository-relative path to text or bytes.
    tmp_path: an existing folder; every call makes folders of its own below it.
    base_files: when given, the tree is a git repository: these committed first, `files` on top.
    links: symbolic links beside `files`, with what each leads to.
    context: fields of `Context`, such as `settings`, `moves` or `batch_id`.
    """
    gate = _installed(gate_or_name) if isinstance(gate_or_name, str) else gate_or_name
    folder = Path(tempfile.mkdtemp(prefix="gate-", dir=tmp_path))
    root, scratch = folder / "tree", folder / "scratch"
    root.mkdir()
    scratch.mkdir()
    if base_files is None:
        _lay(root, files, links or {})
    else:
        commits = _lay_commits(root, base_files, files, links or {})
        context = {**commits, **{key: value for key, value in context.items() if value}}
    return child.judge(gate, Context(root=root, scratch=scratch, **context))


def prove(gate: Gate, proof: Proof, tmp_path: Path) -> Report:
    """The gate's report on a proof's tree; `shortcomings` says whether it proves anything."""
    return run_gate(
        gate,
        proof.files,
        tmp_path=tmp_path,
        base_files=proof.base_files,
        links=proof.links,
        settings=proof.settings,
        moves=proof.moves,
        changed=proof.changed,
        batch_id=proof.batch_id,
        plan_sha256=proof.plan_sha256,
    )


def lacking(proof: Proof) -> list[str]:
    """Modules that the proof needs and this interpreter has not; [] when it can be run."""
    return [name for name in proof.needs if not _is_installed(name)]


def shortcomings(gate: Gate, proof: Proof, report: Report) -> list[str]:
    """Why this report is not what the proof promises; [] when it is."""
    declared = {rule.id for rule in gate.rules}
    seen = {finding.rule for finding in report.findings}
    found = []
    if report.verdict is not proof.expect:
        found.append(
            f"{proof.name}: expected {proof.expect}, got {report.verdict}: {report.summary}"
        )
    if proof.rule is not None and proof.rule not in seen:
        rules = ", ".join(sorted(seen)) or "none"
        found.append(f"{proof.name}: expected a finding of {proof.rule}, got {rules}")
    found += [
        f"{proof.name}: finding of {rule}, which is not among the gate's rules"
        for rule in sorted(seen - declared)
    ]
    return found


def check_proofs(gate: Gate) -> list[str]:
    """What is missing for the gate's rules and proofs to be complete; runs none of them."""
    proofs = list(gate.proofs())
    return [*_rule_gaps(gate), *_proof_gaps(gate, proofs)]


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        # A package above it is missing.
        return False


def _rule_gaps(gate: Gate) -> Iterator[str]:
    ids = [rule.id for rule in gate.rules]
    if not ids:
        yield f"{gate.name}: declares no rule"
    yield from (f"rule {rule}: declared {n} times" for rule, n in Counter(ids).items() if n > 1)
    for rule in gate.rules:
        prefix, _, own = rule.id.partition(".")
        if prefix != gate.name or not _ANY_ID.fullmatch(own):
            yield f"rule {rule.id}: expected {gate.name}.<words-joined-by-hyphens>"
        if not rule.summary.strip():
            yield f"rule {rule.id}: has no summary"


def _proof_gaps(gate: Gate, proofs: Iterable[Proof]) -> Iterator[str]:
    proofs = list(proofs)
    declared = {rule.id for rule in gate.rules}
    names = Counter(proof.name for proof in proofs)
    yield from (
        f"proof {name}: {count} have this name" for name, count in names.items() if count > 1
    )
    for proof in proofs:
        if proof.rule is not None and proof.rule not in declared:
            yield f"proof {proof.name}: {proof.rule} is not among the gate's rules"
        if proof.rule is not None and proof.expect in (Verdict.PASS, Verdict.SKIP):
            yield f"proof {proof.name}: a tree that breaks {proof.rule} cannot be {proof.expect}"
        if proof.rule is None and not proof.expect.opens:
            yield f"proof {proof.name}: expects {proof.expect} but names no rule"
    proven = {proof.rule for proof in proofs}
    yield from (f"rule {rule.id}: no proof" for rule in gate.rules if rule.id not in proven)
    if not any(proof.rule is None and proof.expect.opens for proof in proofs):
        yield f"{gate.name}: no proof of a tree that it accepts"


def _installed(name: str) -> Gate:
    loaded = discovery.gates().loaded
    if name not in loaded:
        known = ", ".join(loaded) or "none"
        raise CockpitError(f"{name}: no gate of this name is installed; installed: {known}")
    return loaded[name].gate


def _lay(root: Path, files: Files, links: Mapping[str, str]) -> None:
    for name, content in files.items():
        path = _made(root, name)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    for name, target in links.items():
        _made(root, name).symlink_to(target)


def _made(root: Path, name: str) -> Path:
    """The path of a name below the tree, in a folder that is there."""
    if name.startswith("/") or not {"", ".", ".."}.isdisjoint(name.split("/")):
        raise CockpitError(f"{name}: expected a path below the tree, such as pkg/module.py")
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _lay_commits(
    root: Path, base_files: Files, files: Files, links: Mapping[str, str]
) -> dict[str, Any]:
    """Commit `base_files`, then `files`; the context's fields that follow from the two."""
    _git(root, "init", "--quiet", "--initial-branch=main")
    commits = [_commit(root, base_files, {}), _commit(root, files, links)]
    differing = _git(root, "diff", "--name-only", "--no-renames", "--diff-filter=d", "-z", *commits)
    changed = tuple(os.fsdecode(path) for path in differing.split(b"\0") if path)
    return {"base": commits[0], "commit": commits[1], "changed": changed}


def _commit(root: Path, files: Files, links: Mapping[str, str]) -> str:
    _git(root, "rm", "-r", "--quiet", "--ignore-unmatch", ".")
    root.mkdir(exist_ok=True)
    _lay(root, files, links)
    _git(root, "add", "--all", "--force", ".")
    _git(root, "commit", "--quiet", "--allow-empty", "--message=proof")
    return _git(root, "rev-parse", "HEAD").decode().strip()


def _git(root: Path, *arguments: str) -> bytes:
    options = ("-c", "core.hooksPath=/dev/null", "-c", "core.autocrlf=false", "-c", "gc.auto=0")
    environment = process.environment(extra=_GIT_ENVIRONMENT)
    done = process.run(["git", *options, *arguments], cwd=root, env=environment)
    if done.returncode:
        reason = done.stderr.decode("utf-8", "backslashreplace").strip()
        raise CockpitError(f"git {arguments[0]}: {reason}; proofs with base_files need git")
    return done.stdout
