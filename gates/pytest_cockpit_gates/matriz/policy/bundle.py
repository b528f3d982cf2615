"""The policy's folder: which files it has, their digests, and the data they hold.

A bundle is a folder as `opa build` takes it: every `.rego` file, and in `data.json` or `data.yaml`
the documents that are found at `data` under the names of the folders that lead there.

The canonical digest of a bundle is that of its list: a line `<sha-256>  <path>` for each file,
sorted by path, as `sha256sum` writes it. Every file counts, whatever its name, but for the list
itself. A list is compared line by line and a single digest whole: neither is ever a prefix.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_cockpit.api import CockpitError, Finding, Severity
from pytest_cockpit.records.text import one_line, parse, sha256
from pytest_cockpit_gates.matriz.policy import plain_yaml, rules, syntax
from pytest_cockpit_gates.matriz.policy.tokens import Unreadable

_DATA = frozenset({"data.json", "data.yaml", "data.yml"})
_ODD = re.compile(r"[\x00-\x1f\x7f\\]|[\ud800-\udfff]")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LISTED = re.compile(r"([0-9a-f]{64}) [ *](?:\./)?(.+)")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A policy that was read.

    Parameters
    ----------
    folder: repository-relative path.
    digests: SHA-256 of every file, by path below `folder`, in order of path.
    modules: Rego files that could be read.
    data: the base document.
    findings: about files that could not.
    """

    folder: str
    digests: Mapping[str, str]
    modules: tuple[syntax.Module, ...]
    data: Mapping[str, Any]
    findings: tuple[Finding, ...]

    @property
    def policies(self) -> tuple[syntax.Module, ...]:
        """The modules that are not unit tests."""
        return tuple(module for module in self.modules if not module.is_test)

    @property
    def tests(self) -> tuple[syntax.Module, ...]:
        """The modules of unit tests."""
        return tuple(module for module in self.modules if module.is_test)

    @property
    def listed(self) -> str:
        """The canonical list of the bundle's files."""
        return "".join(f"{digest}  {path}\n" for path, digest in self.digests.items())

    @property
    def sha256(self) -> str:
        """The digest of the canonical list."""
        return sha256(self.listed.encode())


def read(root: Path, folder: str, checksum: str | None) -> Bundle:
    """The bundle at `folder`; the file `checksum` is none of its files."""
    digests: dict[str, str] = {}
    modules: list[syntax.Module] = []
    data: dict[str, Any] = {}
    findings: list[Finding] = []
    for path in sorted(_files(root / folder), key=os.fsencode):
        whole = f"{folder}/{path}"
        if whole == checksum:
            continue
        try:
            content = _content(root, whole)
            digests[path] = sha256(content)
            if path.endswith(".rego"):
                modules.append(syntax.parse(whole, content.decode("utf-8-sig")))
            elif path.rpartition("/")[2] in _DATA:
                _merge(data, path.split("/")[:-1], _document(path, content))
        except Unreadable as error:
            findings.append(unreadable(whole, str(error), error.line))
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            findings.append(_finding(whole, "is no UTF-8", line))
        except (CockpitError, ValueError) as error:
            findings.append(_finding(whole, one_line(str(error)), getattr(error, "line", None)))
    return Bundle(folder, digests, tuple(modules), data, tuple(findings))


def unreadable(path: str, message: str, line: int | None) -> Finding:
    """A Rego file that is not taken; whether OPA would take it is not known here."""
    return Finding(
        rules.COMPILE,
        message,
        severity=Severity.UNKNOWN,
        path=path,
        line=line,
        remedy="correct the file, or write it in a way that regopy reads",
    )


def checksum_faults(root: Path, bundle: Bundle, checksum: str) -> Iterator[Finding]:
    """How the bundle differs from what the checksum file says."""
    try:
        text = _content(root, checksum).decode()
    except (CockpitError, UnicodeDecodeError) as error:
        yield Finding(
            rules.CHECKSUM,
            one_line(f"no digest can be read from it: {error}"),
            path=checksum,
            remedy="write the digests of the bundle to it",
        )
        return
    if len(text.split()) == 1:
        yield from _against_digest(bundle, checksum, text.strip())
    else:
        yield from _against_list(bundle, checksum, text)


def _against_digest(bundle: Bundle, checksum: str, stated: str) -> Iterator[Finding]:
    if stated == bundle.sha256:
        return
    shape = "" if _DIGEST.fullmatch(stated) else ", which is no SHA-256 of 64 small hex digits"
    yield Finding(
        rules.CHECKSUM,
        f"the bundle {bundle.folder} is not the one whose digest it states{shape}",
        path=checksum,
        line=1,
        remedy=f"restore the bundle, or after review state {bundle.sha256}",
        evidence={"stated": stated[:200], "sha256": bundle.sha256},
    )


def _against_list(bundle: Bundle, checksum: str, text: str) -> Iterator[Finding]:
    stated: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        found = _LISTED.fullmatch(line)
        if found is None:
            yield _checksum(checksum, number, "is no line `<64 hex digits>  <path>`")
        elif found[2] in stated:
            yield _checksum(checksum, number, f"lists {found[2]} a second time")
        else:
            stated[found[2]] = found[1]
            yield from _against_line(bundle, checksum, number, found)
    for path in bundle.digests.keys() - stated.keys():
        yield Finding(
            rules.CHECKSUM,
            f"{checksum} does not list it",
            path=f"{bundle.folder}/{path}",
            remedy="remove the file, or after review list it",
            evidence={"sha256": bundle.digests[path]},
        )


def _against_line(
    bundle: Bundle, checksum: str, number: int, found: re.Match[str]
) -> Iterator[Finding]:
    digest = bundle.digests.get(found[2])
    if digest is None:
        yield _checksum(checksum, number, f"lists {found[2]}, which the bundle has not")
    elif digest != found[1]:
        yield Finding(
            rules.CHECKSUM,
            f"is not the file that {checksum} lists",
            path=f"{bundle.folder}/{found[2]}",
            remedy="restore the file, or after review list its new digest",
            evidence={"stated": found[1], "sha256": digest},
        )


def _checksum(path: str, line: int, message: str) -> Finding:
    remedy = "restore the file, or after review write the list anew"
    return Finding(rules.CHECKSUM, message, path=path, line=line, remedy=remedy)


def _finding(path: str, message: str, line: int | None) -> Finding:
    return Finding(rules.BUNDLE, message, path=path, line=line, remedy="correct the file")


def _files(folder: Path) -> Iterator[str]:
    """Paths of all that is no folder, links to folders included."""
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if Path(place, name).is_symlink()]
        prefix = os.path.relpath(place, folder)
        for name in (*names, *links):
            yield name if prefix == "." else f"{prefix}/{name}"


def _content(root: Path, path: str) -> bytes:
    """A file's bytes; through no link, and under no name that a list cannot hold."""
    if _ODD.search(path):
        raise CockpitError("has a name that no list of digests can hold; rename it")
    place = root
    for part in path.split("/"):
        place = place / part
        if place.is_symlink():
            raise CockpitError("is a link or lies behind one; put the file itself there")
    try:
        return place.read_bytes()
    except OSError as error:
        raise CockpitError(f"cannot be read: {error.strerror}") from error


def _document(path: str, content: bytes) -> Any:
    if path.endswith(".json"):
        return parse(content)
    return plain_yaml.read(content)


def _merge(data: dict[str, Any], folders: Iterable[str], document: Any) -> None:
    """Put a document where its folders lead; two that say different things cannot both hold."""
    if not isinstance(document, dict):
        raise CockpitError("holds no object; a data file is one object")
    place = data
    for name in folders:
        place = place.setdefault(name, {})
        if not isinstance(place, dict):
            raise CockpitError(f"another data file gives {name} a value that is no object")
    _join(place, document)


def _join(place: dict[str, Any], document: Mapping[str, Any]) -> None:
    for key, value in document.items():
        if key not in place:
            place[key] = value
        elif isinstance(place[key], dict) and isinstance(value, dict):
            _join(place[key], value)
        else:
            raise CockpitError(f"another data file gives {key} a value, too")
