"""The only module that speaks git: arguments as lists, NUL-separated answers, no hooks."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError
from pytest_cockpit.process import Completed

_QUIET = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "gc.auto=0")
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_SHOWN = 2


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
        GitError: there is none, it is bare, or git is not installed.
        """
        done = _git(path, "rev-parse", "--path-format=absolute", "--show-toplevel",
                    "--git-common-dir")
        lines = os.fsdecode(done.stdout).split("\n")
        if done.returncode or len(lines) < _SHOWN:
            reason = "a bare repository" if b"work tree" in done.stderr else "not a git repository"
            raise GitError(f"{path}: {reason}; run inside a checkout, or `git init` one")
        return cls(Path(lines[0]), Path(lines[1]))

    def run(
        self,
        *arguments: str,
        input: bytes | None = None,  # noqa: A002 - the name subprocess gave it
        check: bool = True,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run git at the root; a non-zero exit is a `GitError` unless `check` is off."""
        done = _git(self.root, *arguments, input=input, env=env)
        if check and done.returncode:
            raise GitError(f"git {arguments[0]}: {_last_line(done)}")
        return done

    def resolve(self, rev: str) -> str:
        """The commit id a revision names."""
        done = self.run("rev-parse", "--verify", "-q", f"{rev}^{{commit}}", check=False)
        if done.returncode:
            if self.run("rev-parse", "--verify", "-q", "HEAD", check=False).returncode:
                raise GitError(f"{self.root}: no commits yet; commit something first")
            raise GitError(f"{rev}: names no commit of {self.root}")
        return _text(done)

    def branch(self) -> str | None:
        """The full ref HEAD stands for; None when it is detached."""
        done = self.run("symbolic-ref", "-q", "HEAD", check=False)
        return _text(done) or None

    def is_shallow(self) -> bool:
        """Whether history is cut off."""
        return _text(self.run("rev-parse", "--is-shallow-repository")) == "true"

    def entries(self, commit: str, prefix: str = "") -> list[Entry]:
        """Every path of a commit below `prefix`; symlinks and gitlinks included."""
        paths = [prefix] if prefix else []
        found = self.run(
            "--literal-pathspecs", "ls-tree", "-r", "-z", "--full-tree", commit, "--", *paths
        )
        entries = []
        for row in found.stdout.split(b"\0")[:-1]:
            head, _, path = row.partition(b"\t")
            mode, kind, oid = head.decode().split(" ")
            entries.append(Entry(os.fsdecode(path), mode, kind, oid))
        return entries

    def blobs(self, oids: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """Contents in the order asked for; None where the object is not in the store."""
        wanted = list(oids)
        if not wanted:
            return
        with subprocess.Popen(
            ["git", *_QUIET, "cat-file", "--batch", "--buffer"],
            cwd=self.root,
            env=_environment(None),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as reader:
            yield from _read_batch(reader, wanted)

    def blob(self, commit: str, path: str) -> bytes | None:
        """The content of one path; None where the commit has no such file."""
        done = self.run("cat-file", "blob", f"{commit}:{path}", check=False)
        return None if done.returncode else done.stdout

    def grep(
        self, commit: str, fixed: Sequence[str], pathspecs: Sequence[str] = ()
    ) -> list[str]:
        """Paths whose content holds any of the fixed strings."""
        if not fixed:
            return []
        patterns = "\n".join(fixed).encode("utf-8", "surrogateescape")
        done = self.run(
            "grep", "-l", "-z", "-F", "-I", "--full-name", "-f", "-", commit, "--", *pathspecs,
            input=patterns, check=False,
        )
        if done.returncode > 1:
            raise GitError(f"git grep: {_last_line(done)}")
        prefix = f"{commit}:"
        return [os.fsdecode(row).removeprefix(prefix) for row in done.stdout.split(b"\0")[:-1]]

    def last_touched(self, commit: str, prefix: str) -> dict[str, int]:
        """Committer time of the newest commit that touched each path below `prefix`."""
        left = {entry.path for entry in self.entries(commit, prefix)}
        seen: dict[str, int] = {}
        with subprocess.Popen(
            ["git", *_QUIET, "--literal-pathspecs", "log", "-z", "--format=%x01%ct", "--name-only",
             "--no-renames", commit, "--", prefix],
            cwd=self.root,
            env=_environment(None),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as history:
            when = 0
            for field in _fields(history):
                text = field.lstrip(b"\n")
                if text.startswith(b"\x01"):
                    when = int(text[1:].split(b"\n")[0])
                    continue
                path = os.fsdecode(text)
                if path in left:
                    left.discard(path)
                    seen[path] = when
                    if not left:
                        break
            history.kill()
        return seen

    def dirty(self, paths: Iterable[str] | None = None) -> list[str]:
        """Paths of the index or work tree that differ from HEAD, untracked ones included."""
        wanted = ["--", *paths] if paths is not None else []
        if wanted == ["--"]:
            return []
        done = self.run(
            "--literal-pathspecs", "status", "--porcelain=v1", "-z", "--no-renames",
            "--untracked-files=all", *wanted,
        )
        return [os.fsdecode(row[3:]) for row in done.stdout.split(b"\0")[:-1]]

    def update_ref(self, ref: str, new: str, old: str) -> None:
        """Compare and swap; `old` of zeros means that the ref must not exist."""
        self.run("update-ref", "--no-deref", ref, new, old)

    def ref(self, name: str) -> str | None:
        """The object a full ref names, or None."""
        done = self.run("rev-parse", "--verify", "-q", name, check=False)
        return _text(done) or None

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
        return None if done.returncode else os.fsdecode(done.stdout).removesuffix("\n")

    def remote_url(self, remote: str) -> str | None:
        """The URL of a remote, or None where it is not configured."""
        return self.config(f"remote.{remote}.url")

    def push(self, remote: str, refspec: str) -> None:
        """Push without force.

        Raises
        ------
        GitError: with git's own last word, credentials masked.
        """
        done = self.run("push", "--porcelain", remote, refspec, check=False)
        if done.returncode:
            words = (done.stderr + done.stdout).decode("utf-8", "replace")
            lines = [line.strip() for line in words.splitlines() if line.strip()]
            wrong = [line for line in lines if "reject" in line or line.startswith("remote:")]
            said = "; ".join([*wrong[:3], *lines[-1:]])
            raise GitError(_CREDENTIALS.sub("***", f"git push {remote} {refspec}: {said}"))


def _git(
    cwd: Path,
    *arguments: str,
    input: bytes | None = None,  # noqa: A002 - the name subprocess gave it
    env: Mapping[str, str] | None = None,
) -> Completed:
    try:
        return process.run(["git", *_QUIET, *arguments], cwd=cwd, env=_environment(env), input=input)
    except (FileNotFoundError, NotADirectoryError) as error:
        missing = cwd if not cwd.is_dir() else "git"
        raise GitError(f"{missing}: not found ({error.strerror}); install git") from None


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    # Credential helpers and askpass programs of the user's shell may need what looks like a secret.
    named = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_SSH", "GIT_CONFIG_GLOBAL"))
    }
    return {**named, **kept, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", **(extra or {})}


def _text(done: Completed) -> str:
    return os.fsdecode(done.stdout).strip()


def _last_line(done: Completed) -> str:
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return _CREDENTIALS.sub("***", lines[-1]) if lines else f"exit code {done.returncode}"


def _read_batch(
    reader: subprocess.Popen[bytes], wanted: Sequence[str]
) -> Iterator[tuple[str, bytes | None]]:
    import threading

    out, feed = reader.stdout, reader.stdin
    assert out is not None
    assert feed is not None

    def write() -> None:
        # A reader that stops early closes the pipe; what was not asked for is not missed.
        try:
            feed.write("".join(f"{oid}\n" for oid in wanted).encode())
            feed.close()
        except BrokenPipeError:
            pass

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        for oid in wanted:
            head = out.readline().split()
            if not head:
                raise GitError("git cat-file: ended early; is the object store readable?")
            if head[-1] == b"missing":
                yield oid, None
                continue
            content = out.read(int(head[2]))
            out.read(1)
            yield oid, content
    finally:
        reader.kill()
        writer.join()


def _fields(stream: subprocess.Popen[bytes]) -> Iterator[bytes]:
    out = stream.stdout
    assert out is not None
    rest = b""
    while chunk := out.read(1 << 16):
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole
    if rest:
        yield rest
