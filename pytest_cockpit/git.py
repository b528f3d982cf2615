"""The only module that speaks git: arguments as lists, NUL-separated answers, no hooks."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError
from pytest_cockpit.process import Completed

# What a user's settings, hooks or grafts could add to an answer or start on the side.
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
    "i18n.commitEncoding=utf-8",
    "log.showSignature=false",
    "log.showRoot=true",
    "color.ui=false",
    "color.grep=false",
)
_GIT = ("git", "--no-replace-objects", *(word for key in _SETTINGS for word in ("-c", key)))
# Who commits, how a remote is reached and which configuration counts; nothing that points git at
# another repository, index or object store.
_KEPT = re.compile(
    r"GIT_(AUTHOR_|COMMITTER_|SSH|ASKPASS|SSL_|HTTP_|PROXY_|CEILING_DIRECTORIES|EXEC_PATH"
    r"|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_|VALUE_))"
)
_OURS = {"LC_ALL": "C", "LANGUAGE": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]+@|(?<=[?&])[^=&\s]*(?:token|key|secret)[^=&\s]*=[^&\s]+")
_PLAIN = re.compile(rb"[^ -!#-\[\]-~]")
_REASONS = 3
# Or a name such as `:0` would be taken for a pattern.
_LITERALLY = ("--literal-pathspecs",)
_SHA1_HEX = 40


class GitError(CockpitError):
    """Git could not do what was asked; the text is one line."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of a commit's tree."""

    path: str
    mode: str
    kind: str
    oid: str


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository with a work tree; `common_dir` is shared by its linked work trees."""

    root: Path
    common_dir: Path

    @classmethod
    def discover(cls, path: Path) -> Repository:
        """The repository that holds `path`.

        Raises
        ------
        GitError: there is none, it is bare, it is another user's, or git is not installed.
        """
        top = _git(path, "rev-parse", "--show-toplevel")
        if top.returncode:
            raise GitError(f"{path}: {_why_none(path, top)}")
        common = _git(path, "rev-parse", "--git-common-dir")
        return cls(Path(_line(top)), Path(path, _line(common)).resolve())

    def run(
        self,
        *arguments: str,
        input: bytes | None = None,  # noqa: A002 - the name subprocess gave it
        check: bool = True,
        env: Mapping[str, str] | None = None,
        tied: bool = False,
        finishes: bool = False,
    ) -> Completed:
        """Run git at the root; a non-zero exit is a `GitError` unless `check` is off.

        `tied` and `finishes` are those of `process.run`.
        """
        done = _git(self.root, *arguments, input=input, env=env, tied=tied, finishes=finishes)
        if check and done.returncode:
            command = next(word for word in arguments if not word.startswith("-"))
            raise GitError(f"git {command}: {_said(done)}")
        return done

    def git_dir(self) -> Path:
        """The folder with this work tree's own HEAD and index."""
        return Path(_line(self.run("rev-parse", "--absolute-git-dir")))

    def resolve(self, rev: str) -> str:
        """The commit id a revision names."""
        done = self.run(
            "rev-parse", "--verify", "-q", "--end-of-options", f"{rev}^{{commit}}", check=False
        )
        if done.returncode:
            if self.ref("HEAD") is None:
                raise GitError(f"{self.root}: no commits yet; commit something first")
            raise GitError(f"{rev}: names no commit of {self.root}; see `git log`")
        return _line(done)

    def tree(self, commit: str) -> str:
        """The tree id of a commit."""
        return _line(self.run("rev-parse", "--verify", f"{commit}^{{tree}}"))

    def tracked(self) -> str:
        """The id of a tree with every tracked file as it is in the work tree.

        The index is copied and never written. The copy keeps its time, by which git knows the files
        that it has to read because they may have changed within the same second.
        """
        with tempfile.TemporaryDirectory(prefix="cockpit-") as folder:
            index = Path(folder, "index")
            with contextlib.suppress(FileNotFoundError):
                shutil.copy2(self.git_dir() / "index", index)
            own = {"GIT_INDEX_FILE": str(index)}
            self.run("add", "--update", "--", ":/", env=own, tied=True)
            return _line(self.run("write-tree", env=own, tied=True))

    def branch(self) -> str | None:
        """The full ref HEAD stands for; None when it is detached."""
        return _line(self.run("symbolic-ref", "-q", "HEAD", check=False)) or None

    def is_shallow(self) -> bool:
        """Whether history is cut off."""
        return _line(self.run("rev-parse", "--is-shallow-repository")) == "true"

    def object_format(self) -> str:
        """The digest that names objects: `sha1` or `sha256`."""
        return _line(self.run("rev-parse", "--show-object-format"))

    def entries(self, commit: str, prefix: str = "") -> list[Entry]:
        """Every path of a commit below `prefix`; symlinks and gitlinks included."""
        paths = [prefix] if prefix not in {"", "."} else []
        done = self.run(*_LITERALLY, "ls-tree", "-r", "-z", "--full-tree", commit, "--", *paths)
        return list(_entries(done.stdout))

    def places(self, commit: str, paths: Sequence[str]) -> dict[str, Entry]:
        """What a commit has at these very paths, and the folders on the way to them."""
        found = {}
        for start in range(0, len(paths), 1000):
            some = paths[start : start + 1000]
            done = self.run(*_LITERALLY, "ls-tree", "-t", "-z", "--full-tree", commit, "--", *some)
            found.update({entry.path: entry for entry in _entries(done.stdout)})
        return found

    def blobs(self, oids: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """Contents in the order asked for; None where the object cannot be had."""
        wanted = list(oids)
        env = _environment(None)
        while wanted:
            answered = 0
            with contextlib.closing(_read_batch(self.root, env, wanted)) as answers:
                for answer in answers:
                    answered += 1
                    yield answer
            del wanted[:answered]
            # Git gives up at an object it can neither find nor fetch: no second try to fetch.
            env["GIT_NO_LAZY_FETCH"] = "1"

    def blob(self, commit: str, path: str) -> bytes | None:
        """The content of one path; None where the commit has no such file."""
        done = self.run("cat-file", "blob", f"{commit}:{path}", check=False)
        return None if done.returncode else done.stdout

    def grep(self, commit: str, fixed: Sequence[str], pathspecs: Sequence[str] = ()) -> list[str]:
        """Paths of files, binary ones included, that hold any of the fixed strings."""
        if not fixed:
            return []
        patterns = "\n".join(fixed).encode("utf-8", "surrogateescape")
        # What is binary is said by attributes of the work tree, which are not the commit's.
        options = ("-l", "-z", "-F", "--text", "--full-name", "-f", "-")
        done = self.run("grep", *options, commit, "--", *pathspecs, input=patterns, check=False)
        if done.returncode not in {0, 1}:
            raise GitError(f"git grep: {_said(done)}")
        prefix = f"{commit}:"
        return [os.fsdecode(row).removeprefix(prefix) for row in done.stdout.split(b"\0")[:-1]]

    def last_touched(self, commit: str, prefix: str) -> dict[str, int]:
        """Committer time of the newest commit that touched each path below `prefix`."""
        left = {entry.path for entry in self.entries(commit, prefix)}
        seen: dict[str, int] = {}
        if not left:
            return seen
        with subprocess.Popen(
            [
                *_GIT,
                "--literal-pathspecs",
                "log",
                "-z",
                "--raw",
                "--no-abbrev",
                "--no-renames",
                "-c",
                "--format=%x01%ct",
                commit,
                "--",
                prefix or ".",
            ],
            cwd=self.root,
            env=_environment(None),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as history:
            for path, when in _touches(cast("IO[bytes]", history.stdout)):
                if path in left:
                    left.discard(path)
                    seen[path] = when
                    if not left:
                        history.kill()
                        return seen
        if history.returncode:
            raise GitError(f"git log: exit code {history.returncode}; does `git fsck` pass?")
        return seen

    def merge_base(self, rev: str) -> str:
        """The newest common ancestor of HEAD and `rev`.

        Raises
        ------
        GitError: there is no such commit, or none in common.
        """
        done = self.run("merge-base", "HEAD", self.resolve(rev), check=False)
        if done.returncode:
            cure = "fetch more of the history" if self.is_shallow() else "name another branch"
            raise GitError(f"{rev}: no commit in common with HEAD; {cure}")
        return _line(done)

    def differing(self, commit: str) -> list[str]:
        """Paths of the work tree that are not as in `commit`, untracked ones included."""
        listings = (
            ("diff", "--name-only", "-z", "--no-renames", "--diff-filter=d", commit, "--"),
            ("ls-files", "-z", "--others", "--exclude-standard"),
        )
        return sorted(
            os.fsdecode(path)
            for listing in listings
            for path in self.run(*listing).stdout.split(b"\0")[:-1]
        )

    def dirty(self, paths: Iterable[str] | None = None) -> list[str]:
        """Paths of the index or work tree that differ from HEAD, untracked ones included.

        With `paths`, those of them, or below one of them.
        """
        done = self.run("status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all")
        found = [os.fsdecode(row[3:]) for row in done.stdout.split(b"\0")[:-1]]
        if paths is None:
            return found
        wanted = {path.rstrip("/") for path in paths}
        return [path for path in found if not wanted.isdisjoint(_with_parents(path.rstrip("/")))]

    def untracked(self) -> list[str]:
        """Files of the work tree that git neither tracks nor ignores; none where there is none."""
        words = ("ls-files", "-z", "--others", "--exclude-standard")
        listed = self.run(*words, check=False).stdout
        return [os.fsdecode(path) for path in listed.split(b"\0")[:-1]]

    def update_ref(self, ref: str, new: str, old: str, reason: str = "cockpit") -> None:
        """Compare and swap; `old` of zeros means that the ref must not exist."""
        expected = old if old.strip("0") else "0" * len(new)
        self.run("update-ref", "-m", reason, "--no-deref", ref, new, expected, finishes=True)

    def update_refs(
        self,
        updates: Iterable[tuple[str, str, str]],
        reason: str = "cockpit",
        *,
        rehearse: bool = False,
    ) -> None:
        """Compare and swap several refs, each `(ref, new, old)`: all of them or none.

        `old` of zeros means that the ref must not exist. To rehearse is to find out whether it
        could be done.
        """
        rows = ["start\0"]
        for ref, new, old in updates:
            expected = old if old.strip("0") else "0" * len(new)
            rows.append(f"update {ref}\0{new}\0{expected}\0")
        rows += ["prepare\0", "abort\0" if rehearse else "commit\0"]
        asked = "".join(rows).encode("utf-8", "surrogateescape")
        words = ("update-ref", "-m", reason, "--no-deref", "-z", "--stdin")
        self.run(*words, input=asked, finishes=True)

    def ref(self, name: str) -> str | None:
        """The object a full ref names, or None."""
        done = self.run("show-ref", "--verify", "--hash", "--", name, check=False)
        return _line(done) or None

    def changes(self, old: str, new: str) -> dict[str, tuple[Entry | None, Entry | None]]:
        """What lies at each path that differs between two commits, before and after."""
        listing = self.run("diff-tree", "-r", "-z", "--no-renames", "--raw", old, new).stdout
        fields = iter(os.fsdecode(field) for field in listing.split(b"\0")[:-1])
        found = {}
        for head, path in zip(fields, fields, strict=True):
            modes, ids = head[1:].split(" ")[:2], head.split(" ")[2:4]
            before, after = (_file(path, mode, oid) for mode, oid in zip(modes, ids, strict=True))
            found[path] = (before, after)
        return found

    def merged(self, ours: bytes, base: bytes, theirs: bytes) -> bytes | None:
        """The three-way merge of a file's contents; None where they are at odds or no text."""
        with tempfile.TemporaryDirectory(prefix="cockpit-") as folder:
            paths = [Path(folder, name) for name in ("ours", "base", "theirs")]
            for path, content in zip(paths, (ours, base, theirs), strict=True):
                path.write_bytes(content)
            done = self.run("merge-file", "--stdout", *map(str, paths), check=False)
        return None if done.returncode else done.stdout

    def similarity(self, base: str, commit: str) -> dict[str, tuple[str, int]]:
        """For each path git would follow back: where it came from, and how alike in percent."""
        done = self.run(
            "diff-tree", "-r", "-z", "-B", "-M", "-C", "-l0", "--diff-filter=RC", base, commit
        )
        fields = iter(os.fsdecode(field) for field in done.stdout.split(b"\0")[:-1])
        found = {}
        for head in fields:
            score = int(head.rsplit(" ", 1)[1][1:])
            source = next(fields)
            found[next(fields)] = (source, score)
        return found

    def config(self, key: str) -> str | None:
        """A configuration value, or None."""
        done = self.run("config", "--get", key, check=False)
        return None if done.returncode else _line(done)

    def remote_url(self, remote: str) -> str | None:
        """The URL of a remote, or None where it is not configured."""
        return self.config(f"remote.{remote}.url")

    def push(self, remote: str, refspec: str) -> None:
        """Push without force, and nothing but this.

        Raises
        ------
        GitError: with the reason git or the remote gave, credentials masked.
        """
        alone = ("--no-follow-tags", "--recurse-submodules=no")
        done = self.run(
            "push", "--porcelain", *alone, "--", remote, refspec, check=False, tied=True
        )
        if done.returncode:
            out, err = (
                text.decode("utf-8", "backslashreplace") for text in (done.stdout, done.stderr)
            )
            said = [line.split("\t")[-1] for line in out.splitlines() if line.startswith("!")]
            said += [line.strip() for line in err.splitlines() if line.startswith("remote: ")]
            reason = "; ".join(said[:_REASONS]) or _said(done)
            raise GitError(masked(f"git push {remote} {refspec}: {reason}"))


def blob_id(content: bytes, like: str) -> str:
    """The object id of a file's content, by the same digest as the object id `like`."""
    algorithm = "sha1" if len(like) == _SHA1_HEX else "sha256"
    header = b"blob %d\0" % len(content)
    return hashlib.new(algorithm, header + content, usedforsecurity=False).hexdigest()


def masked(text: str) -> str:
    """The text without what URLs in it say about who may use them."""
    return _CREDENTIALS.sub(lambda found: "***@" if found[0].endswith("@") else "***", text)


def quoted(path: str) -> bytes:
    """A path as git's own files and streams spell it: every odd byte escaped."""
    return b'"%s"' % _PLAIN.sub(lambda byte: b"\\%03o" % ord(byte[0]), os.fsencode(path))


def _git(
    cwd: Path,
    *arguments: str,
    input: bytes | None = None,  # noqa: A002 - the name subprocess gave it
    env: Mapping[str, str] | None = None,
    tied: bool = False,
    finishes: bool = False,
) -> Completed:
    words, whole = [*_GIT, *arguments], _environment(env)
    try:
        return process.run(words, cwd=cwd, env=whole, input=input, tied=tied, finishes=finishes)
    except CockpitError as error:
        raise GitError(str(error)) from error


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    # No secret is taken out: a credential helper or a signing program may need it.
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or _KEPT.match(name)
    }
    return {**kept, **_OURS, **(extra or {})}


def _line(done: Completed) -> str:
    return os.fsdecode(done.stdout).removesuffix("\n")


def _said(done: Completed) -> str:
    lines = [line for line in done.stderr.decode("utf-8", "backslashreplace").splitlines() if line]
    telling = [line for line in lines if line.startswith(("fatal: ", "error: "))]
    return masked([*telling[:1], *lines[-1:], f"exit code {done.returncode}"][0])


def _why_none(path: Path, done: Completed) -> str:
    if b"dubious ownership" in done.stderr:
        return (
            "belongs to another user; if you trust them: "
            f"git config --global --add safe.directory {path}"
        )
    if b"work tree" in done.stderr:
        return "a bare repository or a git folder; run inside a checkout of it"
    if b"not a git repository" in done.stderr:
        return "not in a git repository; run inside a checkout, or `git init` one"
    return _said(done)


def _entries(listing: bytes) -> Iterator[Entry]:
    for row in listing.split(b"\0")[:-1]:
        head, _, path = row.partition(b"\t")
        mode, kind, oid = head.decode().split(" ")
        yield Entry(os.fsdecode(path), mode, kind, oid)


def _file(path: str, mode: str, oid: str) -> Entry | None:
    """One side of a difference; None where nothing is there."""
    if not mode.strip("0"):
        return None
    return Entry(path, mode, "commit" if mode == "160000" else "blob", oid)


def _with_parents(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition("/")[0]


def _read_batch(
    root: Path, env: Mapping[str, str], wanted: Sequence[str]
) -> Generator[tuple[str, bytes | None]]:
    """Answers of one `cat-file`; it may end early, then the last answer is None."""
    with subprocess.Popen(
        [*_GIT, "cat-file", "--batch", "--buffer"],
        cwd=root,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as reader:
        out, feed = cast("IO[bytes]", reader.stdout), cast("IO[bytes]", reader.stdin)

        def ask() -> None:
            # A reader that stops early closes the pipe; what was not asked for is not missed.
            with contextlib.suppress(BrokenPipeError), feed:
                feed.write("".join(f"{oid}\n" for oid in wanted).encode())

        writer = threading.Thread(target=ask, daemon=True)
        writer.start()
        try:
            for oid in wanted:
                head = out.readline().split()
                content = None
                if len(head) == 3:  # noqa: PLR2004 - oid, type, size
                    content = out.read(int(head[2]) + 1)[:-1]
                yield oid, content
                if not head:
                    break
        finally:
            reader.kill()
            writer.join()


def _touches(log: IO[bytes]) -> Iterator[tuple[str, int]]:
    when, fields = 0, _fields(log)
    for field in fields:
        text = field.lstrip(b"\n")
        if text.startswith(b"\x01"):
            when = int(text[1:])
        elif text.startswith(b":"):
            yield os.fsdecode(next(fields)), when


def _fields(stream: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read(1 << 16):
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole
