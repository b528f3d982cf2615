"""Read contracts: strict JSON, every fault with its line."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit.records.text import one_line, parse, pointer, sha256
from pytest_cockpit_gates.matriz.positions import Positions, positions

RULE = "matriz.invalid-json"

_SHOWN = 40
_LINE = re.compile(r"line (\d+) column \d+ \(char \d+\)")
_WIDE = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract that could be read."""

    path: str
    data: bytes
    value: Any

    @property
    def module(self) -> str | None:
        """The module it names, where it names one."""
        return self._text("module")

    @property
    def version(self) -> str | None:
        """The version of the contract format it claims, where it claims one."""
        return self._text("schema_version")

    def positions(self, until: str | None = None) -> Positions:
        """Where its values stand; worked out anew each time, for the few that need it."""
        return positions(self.data.decode("utf-8-sig"), until)

    def line(self, *keys: str | int) -> int | None:
        """The line of the value these keys lead to."""
        place = pointer(keys)
        return self.positions(place).line(place)

    def _text(self, key: str) -> str | None:
        value = self.value.get(key) if isinstance(self.value, dict) else None
        return value if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class Contracts:
    """What was found in a tree; iterating over it gives the contracts to judge.

    Parameters
    ----------
    paths: every file of the tree that may be looked at.
    read: contracts to judge.
    schemas: paths that match as contracts but hold a JSON Schema.
    findings: about files that could not be read, and files that could but oddly.
    digests: path to SHA-256 of every file looked at, readable or not.
    """

    paths: tuple[str, ...]
    read: tuple[Contract, ...]
    schemas: tuple[str, ...]
    findings: tuple[Finding, ...]
    digests: Mapping[str, str]

    def __iter__(self) -> Iterator[Contract]:
        return iter(self.read)

    def __len__(self) -> int:
        return len(self.read)


def read_all(root: Path, paths: Iterable[str], among: Iterable[str] = ()) -> Contracts:
    """Read the contracts at `paths`, which are some of those `among` all files."""
    read: list[Contract] = []
    schemas: list[str] = []
    findings: list[Finding] = []
    digests: dict[str, str] = {}
    for path in sorted(paths):
        try:
            data = (root / path).read_bytes()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            findings.append(Finding(RULE, f"cannot be read: {reason}", path=path))
            continue
        digests[path] = sha256(data)
        found = document(path, data)
        if not isinstance(found, Contract):
            findings += found
        elif is_schema(found.value):
            schemas.append(path)
        else:
            read.append(found)
            findings += _mark(found)
    return Contracts(tuple(among), tuple(read), tuple(schemas), tuple(findings), digests)


def document(path: str, data: bytes) -> Contract | list[Finding]:
    """The JSON document in `data`, or all that keeps it from being one."""
    wide = next((name for mark, name in _WIDE.items() if data.startswith(mark)), None)
    if wide is not None:
        return [_finding(path, 1, f"is {wide}, JSON is UTF-8", "save it as UTF-8")]
    try:
        return Contract(path, data, parse(data.removeprefix(codecs.BOM_UTF8)))
    except ValueError as error:
        return _faults(path, data, str(error))


def is_schema(value: Any) -> bool:
    """Whether a document is a JSON Schema rather than something to hold against one.

    What names its module or its version is a contract, whatever else it says of itself.
    """
    return (
        isinstance(value, dict)
        and isinstance(value.get("$schema"), str)
        and not any(isinstance(value.get(key), str) for key in ("module", "schema_version"))
        and re.match(r"https?://json-schema\.org/", value["$schema"]) is not None
    )


def _mark(contract: Contract) -> list[Finding]:
    if not contract.data.startswith(codecs.BOM_UTF8):
        return []
    message = "starts with a byte order mark, which other readers refuse"
    remedy = "save it as UTF-8 without a byte order mark"
    finding = Finding(
        RULE, message, severity=Severity.INFO, path=contract.path, line=1, remedy=remedy
    )
    return [finding]


def _faults(path: str, data: bytes, reason: str) -> list[Finding]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = f"byte 0x{data[error.start]:02x} is no UTF-8"
        return [_finding(path, line, byte, "save it as UTF-8")]
    seen = positions(text)
    odd = [
        *((place, f'key "{_short(place.text)}" is used twice') for place in seen.duplicates),
        *((place, f"{_short(place.text)} is no JSON number") for place in seen.numbers),
    ]
    findings = [
        _finding(
            path, place.line, message, "keep one" if "key" in message else "write a finite number"
        )
        for place, message in sorted(odd, key=lambda item: item[0].line)
    ]
    place = _LINE.search(reason)
    if place is not None:
        stop = int(place[1])
        findings.append(_finding(path, stop, one_line(_LINE.sub("", reason)).strip(" :"), None))
    elif not findings:
        findings.append(_finding(path, _line_of(reason, seen), one_line(reason), None))
    return findings


def _line_of(reason: str, seen: Positions) -> int | None:
    """The line of the pointer that a reason may start with."""
    place = reason.partition(": ")[0]
    return seen.line(place if place.startswith("/") else "")


def _finding(path: str, line: int | None, message: str, remedy: str | None) -> Finding:
    return Finding(RULE, message, path=path, line=line, remedy=remedy)


def _short(text: str) -> str:
    return one_line(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…")
