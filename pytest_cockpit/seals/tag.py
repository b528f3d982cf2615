"""Make an annotated tag: its object now, its ref when the branch moves, in one transaction."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from pytest_cockpit.git import GitError, Repository
from pytest_cockpit.records.text import one_line, printable


@dataclass(frozen=True, slots=True)
class Settings:
    """The tag's name, the commit it shall lead to, and what it says.

    `sign` demands a signature; without it, git's own `tag.gpgSign` decides.
    """

    name: str
    commit: str
    message: str
    sign: bool = False


def ref_of(name: str) -> str:
    """The full ref of a tag."""
    return f"refs/tags/{name}"


def demand_free(repo: Repository, name: str) -> None:
    """Refuse a name that is none for a tag, and one that a tag has.

    Raises
    ------
    GitError: with the remedy.
    """
    demand_valid(repo, name)
    there = repo.ref(ref_of(name))
    if there is not None:
        raise GitError(f"{name}: a tag at {there[:12]}, and never moved; release by a new tag")


def demand_valid(repo: Repository, name: str) -> None:
    """Refuse what git would not take for a tag's name, or would take for an option.

    Raises
    ------
    GitError: with the remedy.
    """
    odd = name.startswith("-") or name == "HEAD" or not name.isprintable()
    if not odd:
        done = repo.run("check-ref-format", ref_of(name), check=False)
        odd = done.returncode != 0 or printable(name) != name
    if odd:
        raise GitError(
            f"{one_line(name)!r}: no name for a tag; see git check-ref-format, and choose one such "
            "as v0.02-prod"
        )


def made(repo: Repository, settings: Settings) -> str:
    """The id of a new annotated tag's object, which no ref names yet.

    Git makes and signs it as configured, in a private repository over the same objects: that one
    alone gets the ref.

    Raises
    ------
    GitError: nobody is named as the tagger, or it cannot be signed.
    """
    demand_valid(repo, settings.name)
    folder = repo.common_dir / "cockpit" / "scratch"
    folder.mkdir(parents=True, exist_ok=True)
    # Below the user's git directory, so that settings included for that place count here too.
    with tempfile.TemporaryDirectory(prefix="tag-", dir=folder) as scratch:
        form = f"--object-format={repo.object_format()}"
        repo.run("init", "-q", "--bare", "--template=", form, "--", scratch)
        with Path(scratch, "config").open(
            "a", encoding="utf-8", errors="surrogateescape"
        ) as config:
            config.writelines(f"[include]\n\tpath = {_value(own)}\n" for own in _own_settings(repo))
            config.write("[user]\n\tuseConfigOnly = true\n")
        env = {"GIT_DIR": scratch, "GIT_OBJECT_DIRECTORY": str(repo.common_dir / "objects")}
        sign = ["--sign"] if settings.sign else []
        words = ("tag", "--annotate", "--cleanup=verbatim", "--file=-")
        repo.run(
            *words,
            *sign,
            "--",
            settings.name,
            settings.commit,
            input=settings.message.encode("utf-8", "backslashreplace"),
            env=env,
            tied=True,
        )
        found = repo.run("rev-parse", "--verify", ref_of(settings.name), env=env).stdout
    oid = found.decode("ascii").strip()
    # Some versions of git make an unsigned tag where the key of OpenSSH cannot be read.
    if (settings.sign or _signs(repo)) and not _is_signed(repo, oid):
        raise GitError(
            f"{settings.name}: git could not sign it; see git config user.signingKey and gpg.format"
        )
    return oid


def _signs(repo: Repository) -> bool:
    done = repo.run("config", "--type=bool", "--get", "tag.gpgSign", check=False)
    return done.stdout.strip() == b"true"


def _is_signed(repo: Repository, oid: str) -> bool:
    text = repo.run("cat-file", "tag", oid).stdout.partition(b"\n\n")[2]
    return b"\n-----BEGIN " in text


def _own_settings(repo: Repository) -> list[Path]:
    """The files with this work tree's own settings."""
    known = [repo.common_dir / "config", repo.git_dir() / "config.worktree"]
    return [path for path in known if path.is_file()]


def _value(path: Path) -> str:
    """A path as a value in git's configuration."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
