"""AuthZ cases: who asks for what, and whether it is expected to be allowed.

```yaml
module: harbour.billing
test_cases:
- name: trusted_reads
  input: {subject: "harbour:user:ann", tier: trusted, tier_num: 3, scopes: [all], action: bill}
  expected: true
```
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit.records.schema import shown
from pytest_cockpit.records.text import one_line, pointer, sha256
from pytest_cockpit_gates.matriz.policy import plain_yaml, rules
from pytest_cockpit_gates.matriz.policy.settings import TIERS


@dataclass(frozen=True, slots=True)
class AuthzCase:
    """One case that can be asked.

    Parameters
    ----------
    name: of the check: `authz:<file>::<name>`, unique.
    title: what the file calls it.
    index: its place in the file.
    faults: what is wrong with it.
    """

    name: str
    title: str
    path: str
    line: int
    index: int
    module: str
    input: Mapping[str, Any]
    expected: bool | None
    reason: str = ""
    faults: tuple[Finding, ...] = ()

    @property
    def can_be_asked(self) -> bool:
        """Whether its faults, if any, leave a question and an answer."""
        return not any(fault.severity is Severity.ERROR for fault in self.faults)

    @property
    def pointer(self) -> str:
        """Where the case stands in its file."""
        return pointer(("test_cases", self.index))

    @property
    def action(self) -> str | None:
        """The function asked for, without its signature."""
        action = self.input.get("action")
        return action.partition("(")[0].strip() if isinstance(action, str) else None


@dataclass(frozen=True, slots=True)
class CaseFiles:
    """All cases of a tree, and files that hold none that can be read."""

    cases: tuple[AuthzCase, ...]
    findings: tuple[Finding, ...]
    digests: Mapping[str, str]


def read_all(root: Path, paths: Iterable[str], tiers: Mapping[str, int] = TIERS) -> CaseFiles:
    """Read the files at `paths`; `tiers` are those there are, with their numbers."""
    cases: list[AuthzCase] = []
    findings: list[Finding] = []
    digests: dict[str, str] = {}
    for path in sorted(paths):
        try:
            content = _content(root / path)
            digests[path] = sha256(content)
            cases += _cases(path, plain_yaml.read(content), tiers)
        except plain_yaml.Refused as error:
            findings.append(_unreadable(path, str(error), error.line))
        except OSError as error:
            findings.append(_unreadable(path, f"cannot be read: {error.strerror}", None))
    return CaseFiles(tuple(cases), tuple(findings), digests)


def _content(file: Path) -> bytes:
    if file.is_symlink():
        raise plain_yaml.Refused("is a link; put the file itself there")
    return file.read_bytes()


def _unreadable(path: str, message: str, line: int | None) -> Finding:
    return Finding(
        rules.FILE,
        one_line(message),
        path=path,
        line=line,
        remedy="write a mapping with module and test_cases",
    )


def _cases(path: str, document: Any, tiers: Mapping[str, int]) -> Iterator[AuthzCase]:
    if not isinstance(document, plain_yaml.Table):
        raise plain_yaml.Refused("is no mapping", 1)
    module, rows = document.get("module"), document.get("test_cases")
    if not isinstance(module, str) or not module:
        raise plain_yaml.Refused("names no module", document.lines.get("module", 1))
    if not isinstance(rows, plain_yaml.Row) or not rows:
        raise plain_yaml.Refused("has no test_cases", document.lines.get("test_cases", 1))
    taken: set[str] = set()
    for index, (row, line) in enumerate(zip(rows, rows.lines, strict=True)):
        yield _case(path, module, index, line, row, taken, tiers)


def _case(
    path: str,
    module: str,
    index: int,
    line: int,
    row: Any,
    taken: set[str],
    tiers: Mapping[str, int],
) -> AuthzCase:
    table = row if isinstance(row, plain_yaml.Table) else plain_yaml.Table()
    given = table.get("name")
    title = one_line(given).strip() if isinstance(given, str) else ""
    unique = _unique(title or f"[{index}]", taken)
    name = f"authz:{path}::{unique}"
    asked, expected = table.get("input"), table.get("expected")

    def fault(told: _Told) -> Finding:
        return Finding(
            rules.CASE,
            f"{title or unique}: {told.message}",
            severity=told.severity,
            path=path,
            line=table.lines.get(told.key, line),
            pointer=pointer(("test_cases", index)),
            remedy=told.remedy,
            evidence={"case": name},
        )

    return AuthzCase(
        name,
        title or unique,
        path,
        line,
        index,
        module,
        asked if isinstance(asked, dict) else {},
        expected if isinstance(expected, bool) else None,
        one_line(reason) if isinstance(reason := table.get("reason"), str) else "",
        tuple(map(fault, [*_name_faults(title, unique), *_faults(table, tiers)])),
    )


@dataclass(frozen=True, slots=True)
class _Told:
    key: str
    message: str
    remedy: str
    severity: Severity = Severity.ERROR


def _unique(title: str, taken: set[str]) -> str:
    numbered = (f"{title}#{number}" for number in itertools.count(2))
    unique = next(name for name in itertools.chain([title], numbered) if name not in taken)
    taken.add(unique)
    return unique


def _name_faults(title: str, unique: str) -> Iterator[_Told]:
    """What is odd about a name, and no hindrance to asking."""
    if not title:
        yield _Told("name", "has no name", "give it one", Severity.WARNING)
    elif title != unique:
        told = f"is the name of an earlier case, too; this one is taken for {unique}"
        yield _Told("name", told, "rename one of them", Severity.WARNING)


def _faults(table: plain_yaml.Table, tiers: Mapping[str, int]) -> Iterator[_Told]:
    """Why a case cannot be asked."""
    expected, asked = table.get("expected"), table.get("input")
    if not isinstance(expected, bool):
        said = f"is {shown(expected)}" if "expected" in table else "is missing"
        yield _Told("expected", f"expected {said}", "write true or false")
    if not isinstance(asked, dict):
        yield _Told("input", "has no input that is a mapping", "write what is asked")
    else:
        yield from (_Told("input", *told) for told in _tier_faults(asked, tiers))


def _tier_faults(asked: Mapping[str, Any], tiers: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    tier, number = asked.get("tier"), asked.get("tier_num")
    known, numbers = ", ".join(tiers), ", ".join(map(str, sorted({*tiers.values()})))
    if "tier" in asked and (not isinstance(tier, str) or tier not in tiers):
        yield f"{shown(tier)} is no tier", f"use one of {known}"
    elif "tier_num" in asked and (isinstance(number, bool) or number not in tiers.values()):
        yield f"{shown(number)} is the number of no tier", f"use one of {numbers}"
    elif isinstance(tier, str) and "tier_num" in asked and tiers[tier] != number:
        yield (
            f"tier {tier} has the number {tiers[tier]}, not {number}",
            f"write tier_num: {tiers[tier]}",
        )
