"""The repository's import-linter contracts, checked in a process of their own."""

from __future__ import annotations

import configparser
import json
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_cockpit import process
from pytest_cockpit.api import Case, Context, Finding, Severity, Verdict
from pytest_cockpit_gates.imports import rules
from pytest_cockpit_gates.imports.facts import Fact

_CHILD = Path(__file__).with_name("contracts_child.py")
_TIMEOUT_S = 600.0
# As import-linter prints a broken chain: `-   a.b -> c.d (l.3, l.9)`, its first link with a dash.
_LINK = re.compile(r"^\s*(?P<dash>-)?\s*(?P<a>[\w.]+) -> (?P<b>[\w.]+) \(l\.(?P<line>\d+)")
_REMEDY = "remove the import, or change the contract"


@dataclass(frozen=True, slots=True)
class Contracts:
    """What became of the contracts.

    Parameters
    ----------
    file: where they are configured.
    names: of all of them, each unique.
    broken: what breaks which.
    unknown: why some or all could not be checked, by name; "" stands for all.
    """

    file: str = ""
    names: tuple[str, ...] = ()
    broken: tuple[Fact, ...] = ()
    unknown: Mapping[str, str] | None = None

    def findings(self) -> Iterator[Finding]:
        """What could not be checked; what is broken is among the static facts."""
        for name, reason in sorted((self.unknown or {}).items()):
            which = f"contract {name!r}" if name else "the contracts"
            yield Finding(
                rules.CONTRACT,
                f"{which} could not be checked: {reason}",
                severity=Severity.UNKNOWN,
                path=self.file,
                remedy="pip install 'pytest-cockpit[imports]', or correct the configuration",
            )

    def cases(self, findings: Iterable[Finding]) -> Iterator[Case]:
        """One case for each contract, judged by the findings it led to."""
        worst = Counter(
            it.evidence.get("contract")
            for it in findings
            if it.rule == rules.CONTRACT and it.severity is Severity.ERROR
        )
        unknown = self.unknown or {}
        for name in self.names:
            reason = unknown.get("", unknown.get(name))
            if reason is not None:
                yield Case(f"contract:{name}", Verdict.UNKNOWN, reason)
            elif worst[name]:
                said = [fact.message for fact in self.broken if fact.evidence["contract"] == name]
                yield Case(f"contract:{name}", Verdict.FAIL, "\n".join(said))
            else:
                yield Case(f"contract:{name}", Verdict.PASS)


def configured(root: Path) -> tuple[str, tuple[str, ...]]:
    """The file that holds contracts, and their names; empty when there are none.

    The files are looked at in import-linter's own order.
    """
    for file, reader in (("setup.cfg", _ini), (".importlinter", _ini), ("pyproject.toml", _toml)):
        path = root / file
        if path.is_file() and path.resolve().is_relative_to(root.resolve()):
            try:
                names = reader(path.read_bytes().decode("utf-8", "replace"))
            except (configparser.Error, tomllib.TOMLDecodeError, OSError):
                names = None
            if names is not None:
                return file, tuple(_unique(names))
    return "", ()


def check(context: Context, paths: Mapping[str, str]) -> Contracts:
    """Check all contracts; `paths` gives the file of a dotted name."""
    file, names = configured(context.root)
    if not file:
        return Contracts()
    answer = _answer(context, context.python, file)
    if answer.get("missing") and context.python != sys.executable:
        answer = _answer(context, sys.executable, file)
    error = answer.get("error")
    if error is not None:
        return Contracts(file, names or ("all",), unknown={"": str(error)[:300]})
    checked = answer["contracts"]
    invalid = {row["name"]: row["invalid"] for row in checked if row["invalid"]}
    broken = [row for row in checked if not row["kept"] and not row["invalid"]]
    shown = list(_unique(row["name"] for row in checked))
    facts = [
        fact
        for row, name in zip(checked, shown, strict=True)
        if row in broken
        for fact in _facts(name, row["text"], paths, file)
    ]
    unchecked = {name: "import-linter did not report it" for name in names if name not in shown}
    return Contracts(file, names, tuple(facts), {**unchecked, **invalid} or None)


def _facts(name: str, text: str, paths: Mapping[str, str], file: str) -> Iterator[Fact]:
    """One fact for each import that begins a forbidden chain."""
    chains: list[list[re.Match[str]]] = []
    for line in text.splitlines():
        link = _LINK.match(line)
        if link and (link["dash"] or not chains):
            chains.append([link])
        elif link:
            chains[-1].append(link)
    for chain in chains:
        first, last = chain[0], chain[-1]
        way = " -> ".join([first["a"], *(link["b"] for link in chain)])
        path = paths.get(first["a"], file)
        where = int(first["line"]) if first["a"] in paths else None
        message = f"{name}: {first['a']} may not import {last['b']} ({way})"
        evidence = {"contract": name, "chain": way}
        yield Fact(rules.CONTRACT, path, where, message, _REMEDY, evidence=evidence)
    if not chains:
        said = " ".join(text.split())[:300] or "it is broken"
        evidence = {"contract": name}
        yield Fact(rules.CONTRACT, file, None, f"{name}: {said}", _REMEDY, evidence=evidence)


def _answer(context: Context, python: str, file: str) -> dict[str, Any]:
    results = context.scratch / "imports" / "contracts.json"
    results.parent.mkdir(parents=True, exist_ok=True)
    results.unlink(missing_ok=True)
    roots = [str(context.root / source) for source in context.lane.source_roots]
    order = {"roots": [str(context.root), *roots], "config": file, "results": str(results)}
    extra = {"PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "30000", "TMPDIR": str(results.parent)}
    done = process.run(
        [python, "-P", "-s", str(_CHILD)],
        cwd=context.root,
        env=process.environment(keep=context.pass_environment, extra=extra),
        input=json.dumps(order).encode(),
        timeout=_TIMEOUT_S,
    )
    try:
        found = json.loads(results.read_bytes())
    except (OSError, ValueError):
        said = done.stderr.decode("utf-8", "backslashreplace").strip().splitlines()
        found = {"error": said[-1] if said else f"import-linter ended with {done.returncode}"}
    return found if isinstance(found, dict) else {"error": "no answer"}


def _unique(names: Iterable[str]) -> Iterator[str]:
    seen: Counter[str] = Counter()
    for name in names:
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name} ({seen[name]})"


def _ini(text: str) -> Sequence[str] | None:
    config = configparser.ConfigParser(interpolation=None)
    config.read_string(text)
    if "importlinter" not in config:
        return None
    sections = [name for name in config.sections() if name.startswith("importlinter:")]
    return [config.get(name, "name", fallback=name) for name in sections]


def _toml(text: str) -> Sequence[str] | None:
    tool = tomllib.loads(text).get("tool")
    table = tool.get("importlinter") if isinstance(tool, dict) else None
    if not isinstance(table, dict) or not table:
        return None
    contracts = table.get("contracts", [])
    named = [it for it in contracts if isinstance(it, dict)] if isinstance(contracts, list) else []
    return [str(it.get("name", "")) for it in named]
