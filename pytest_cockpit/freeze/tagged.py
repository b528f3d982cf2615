"""What a tag leads to, as git has it: the tag's object, its text, its commit."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pytest_cockpit.git import Repository
from pytest_cockpit.records.text import one_line, printable
from pytest_cockpit.seals import tag

_SIGNED = re.compile(r"^-----BEGIN ([A-Z ]+)-----$", re.MULTILINE)
_TRAILER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*): (.+)")
_NAMED = 3
SSH, OPENPGP = "SSH SIGNATURE", "PGP SIGNATURE"


@dataclass(frozen=True, slots=True)
class Tagged:
    """A tag of this clone.

    Parameters
    ----------
    oid: what its ref holds.
    kind: `tag` where that is an annotated tag, else `commit` or what else it may be.
    target: the object that the tag names, and `target_kind` what that is; itself where it is none.
    called: the name in the annotated tag, which a ref of another name may hold.
    trailers: the keys and values of its text's last paragraph; None where a key is there twice.
    signature: what kind of signature it bears; empty where it bears none.
    commit: what it leads to in the end; None where that is no commit.
    """

    name: str
    oid: str
    kind: str
    target: str
    target_kind: str
    called: str
    trailers: Mapping[str, str | None]
    signature: str
    commit: str | None


def find(repository: Repository, name: str) -> Tagged | None:
    """The tag of that name; None where there is none."""
    oid = repository.ref(tag.ref_of(name))
    return None if oid is None else described(repository, name, oid)


def missing(repository: Repository, name: str) -> str:
    """What is said where there is no tag of that name, with those that are nearly called so."""
    listed = repository.run("for-each-ref", "--format=%(refname:lstrip=2)", "refs/tags").stdout
    near = difflib.get_close_matches(name, os.fsdecode(listed).splitlines(), n=_NAMED)
    meant = one_line(printable(" or ".join(near)))
    return f"no such tag in this clone{f'; did you mean {meant}?' if near else ''}"


def described(repository: Repository, name: str, oid: str) -> Tagged:
    """What a ref of that name would lead to if it held an object."""
    kind = _word(repository, "cat-file", "-t", oid)
    peeled = repository.run("rev-parse", "-q", "--verify", f"{oid}^{{commit}}", check=False)
    commit = os.fsdecode(peeled.stdout).strip() or None
    if kind != "tag":
        return Tagged(name, oid, kind, oid, kind, name, {}, "", commit)
    raw = repository.run("cat-file", "tag", oid).stdout.decode("utf-8", "backslashreplace")
    header, _, text = raw.partition("\n\n")
    # Git reads the first of each; what stands below it under the same name is nobody's.
    fields = dict(line.partition(" ")[::2] for line in reversed(header.splitlines()))
    signed = _SIGNED.search(text)
    said = text[: signed.start()] if signed else text
    return Tagged(
        name,
        oid,
        kind,
        fields.get("object", ""),
        fields.get("type", ""),
        fields.get("tag", ""),
        trailers(said),
        signed[1] if signed else "",
        commit,
    )


def trailers(message: str) -> dict[str, str | None]:
    """The keys and values of a message's last paragraph; None for one that is there twice."""
    found: dict[str, str | None] = {}
    for key, value in _trailers(message):
        found[key] = None if key in found else value
    return found


def _trailers(message: str) -> Iterator[tuple[str, str]]:
    for line in message.rstrip().rpartition("\n\n")[2].splitlines():
        told = _TRAILER.fullmatch(line)
        if told:
            yield told[1], told[2]


def _word(repository: Repository, *arguments: str) -> str:
    return repository.run(*arguments).stdout.decode("ascii").strip()
