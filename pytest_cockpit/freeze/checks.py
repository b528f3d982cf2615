"""What is checked of a freeze, each check apart from the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.config import Config
from pytest_cockpit.freeze import folding, manifest, origin
from pytest_cockpit.freeze.folding import Folded
from pytest_cockpit.freeze.tagged import Tagged
from pytest_cockpit.git import Entry, Repository
from pytest_cockpit.records import checkpoint, ledger
from pytest_cockpit.records.text import count, printable, sha256

NEVER = "a tag is never moved: ask who did, and fetch it anew"


@dataclass(frozen=True, slots=True)
class Check:
    """What came of one check; `paths` are those that it found not to be as they were frozen."""

    name: str
    verdict: Verdict
    summary: str
    remedy: str = ""
    paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class Subject:
    """A tag that leads to a commit, and what it is compared with.

    Parameters
    ----------
    commit: what the tag leads to.
    head: the commit whose history tells where the freeze came from.
    """

    repository: Repository
    settings: Config
    tagged: Tagged
    commit: str
    head: str
    say: Callable[[str], None] = field(default=lambda _: None)

    @cached_property
    def row(self) -> dict[str, Any] | None:
        """The freeze's row in the ledger of its own commit."""
        paths = origin.places(self.settings)
        return origin.row_at(self.repository, self.commit, paths, self.tagged.name)

    @cached_property
    def place(self) -> str:
        """Where the manifest is, by the ledger, by the tag, or by custom."""
        told = (self.row or {}).get("manifest") or self.tagged.trailers.get("Manifest")
        if told:
            return str(told)
        output = self.settings.registry.output
        known = [manifest.path_of(output, kind) for kind in manifest.KINDS]
        data = ((path, self.repository.blob(self.commit, path)) for path in known)
        name = f'"{self.tagged.name}"'.encode()
        return next((path for path, found in data if found and name in found), known[0])

    @cached_property
    def data(self) -> bytes | None:
        """The bytes of the manifest."""
        entry = self.entries.get(self.place)
        if entry is None or entry.kind != "blob" or entry.mode == folding.LINK:
            return None
        return self.repository.blob(self.commit, self.place)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The manifest.

        Raises
        ------
        CockpitError: there is none, or it is none.
        """
        if self.data is None:
            raise CockpitError(f"{printable(self.place)}: not in {self.commit[:12]}")
        return manifest.read(self.data, f"{self.commit[:12]}:{printable(self.place)}")

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """Every path of the commit."""
        return {entry.path: entry for entry in self.repository.entries(self.commit)}

    @cached_property
    def folded(self) -> Folded:
        """The digests of the commit's tree, but for what the manifest excludes."""
        entries, excluded = self.entries.values(), frozenset(self.manifest["excluded"])
        return folding.fold(folding.leaves(self.repository, entries, excluded, say=self.say))


def of_tag(subject: Subject) -> Check:
    """The tag is an annotated one of its own name, straight at a commit."""
    found = subject.tagged
    if found.kind != "tag":
        return fail("tag", f"a lightweight tag at {found.oid[:12]}: anybody's, and it says nothing")
    if found.target_kind != "commit":
        said = f"a tag of a {found.target_kind} {found.target[:12]}, not of a commit"
        return fail("tag", said, NEVER)
    if found.called != found.name:
        called = printable(found.called)
        return fail("tag", f"the tag {called} under another name", NEVER)
    return Check("tag", Verdict.PASS, f"annotated, at {subject.commit[:12]}")


def of_manifest(subject: Subject) -> Check:
    """The manifest is the one that the ledger and the tag name."""
    content, where = subject.manifest, printable(subject.place)
    digest = sha256(subject.data or b"")
    for told, by in (
        (subject.tagged.trailers.get("Manifest-Sha256"), "the tag's text"),
        ((subject.row or {}).get("manifest_sha256"), "the ledger"),
    ):
        if told != digest:
            said = f"{by} says {str(told)[:12]}" if told else f"{by} names no digest"
            return fail("manifest", f"{where}: is {digest[:12]}, {said}")
    parents, base = _parents(subject.repository, subject.commit), content["base"]["commit"]
    wanted = (
        (content["tag"] == subject.tagged.name, f"is of the tag {printable(content['tag'])}"),
        (content["freeze"] == (subject.row or {}).get("freeze"), "is of another kind of freeze"),
        (subject.place == (subject.row or {}).get("manifest"), "is not where the ledger says"),
        (parents == [base], f"freezes {base[:12]}, not the one parent of {subject.commit[:12]}"),
    )
    for right, said in wanted:
        if not right:
            return fail("manifest", f"{where}: {said}")
    for key, value in _told(subject).items():
        told = subject.tagged.trailers.get(key)
        if told != value:
            said = f"the tag says {key}: {printable(str(told))}" if told else f"no {key} in the tag"
            return fail("manifest", f"{where}: {said}, it is {printable(value)}")
    return Check("manifest", Verdict.PASS, f"{where}: {digest[:12]}")


def of_tree(subject: Subject) -> Check:
    """Every file of the tagged commit is as it was frozen."""
    content, folded = subject.manifest, subject.folded
    spare = sorted(set(content["excluded"]) - _may_be_left_out(subject))
    if spare:
        return fail("tree", f"the manifest leaves out {some(spare)}", paths=tuple(spare))
    counts = {key: getattr(folded, key) for key in ("files", "symlinks", "submodules")}
    same = (
        folded.digest == content["digest"]
        and dict(folded.folders) == content["folders"]
        and all(content[key] == number for key, number in counts.items())
    )
    if same:
        told = ", ".join(count(number, key.removesuffix("s")) for key, number in counts.items())
        return Check("tree", Verdict.PASS, f"{folded.digest[:12]}: {told}")
    paths = tuple(_changed(subject))
    said = some(paths) if paths else "the manifest does not fit together"
    return fail("tree", f"not as it was frozen: {said}", paths=paths)


def of_ledger(subject: Subject) -> Check:
    """The commit's ledger is the one that was frozen, and one row."""
    told = subject.manifest["ledger"]
    where = printable(told["path"])
    data = subject.repository.blob(subject.commit, told["path"]) or b""
    before = data[: told["size"]]
    if sha256(before) != told["sha256"] or ledger.head(before) != told["head"]:
        return fail("ledger", f"{where}: does not begin with the {told['rows']} rows frozen")
    rows = ledger.rows(data)
    if len(rows) != told["rows"] + 1 or rows[-1] != subject.row:
        return fail("ledger", f"{where}: has not exactly the freeze's row behind those frozen")
    return Check("ledger", Verdict.PASS, f"{where}: {count(told['rows'], 'row')} and the freeze's")


def fail(name: str, said: str, remedy: str = "", paths: tuple[str, ...] = ()) -> Check:
    """A check that found something wrong."""
    return Check(name, Verdict.FAIL, said, remedy, paths)


def _told(subject: Subject) -> dict[str, str]:
    """What a tag says of its freeze, besides the digest of the manifest."""
    content = subject.manifest
    return {
        "Freeze": content["freeze"],
        "Freeze-Base": content["base"]["commit"],
        "Manifest": subject.place,
        "Tree-Sha256": content["digest"],
    }


def _may_be_left_out(subject: Subject) -> set[str]:
    """What the commit of a freeze writes itself."""
    place = subject.manifest["ledger"]["path"]
    return {subject.place, place, checkpoint.path_of(place)}


def _changed(subject: Subject) -> Iterator[str]:
    """What is not as it was frozen: paths where the frozen commit is here, else folders."""
    content = subject.manifest
    base, excluded = content["base"]["commit"], set(content["excluded"])
    present = subject.repository.run("cat-file", "-e", f"{base}^{{tree}}", check=False)
    if present.returncode == 0:
        changes = subject.repository.changes(base, subject.commit)
        paths = [printable(path) for path in changes if path not in excluded]
        if paths:
            yield from sorted(paths)
            return
    for folder in folding.changed(content["folders"], subject.folded):
        yield f"{folder}/"


def _parents(repository: Repository, commit: str) -> list[str]:
    found = repository.run("rev-parse", f"{commit}^@").stdout.decode("ascii")
    return found.split()


def some(names: tuple[str, ...] | list[str], limit: int = 5) -> str:
    """The first names, and how many more there are."""
    rest = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {rest} more" if rest > 0 else "")
