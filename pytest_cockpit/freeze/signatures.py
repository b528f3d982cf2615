"""Who has signed a tag: judged by git, against the signers of the configuration alone."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.freeze.tagged import OPENPGP, SSH, Tagged
from pytest_cockpit.git import Repository
from pytest_cockpit.process import Completed
from pytest_cockpit.records.text import one_line

_FINGERPRINT = re.compile(r"(?:0x)?([0-9A-F]{40}|[0-9A-F]{64})", re.IGNORECASE)
_ALLOWED = re.compile(r"\S+ (?:\S+ )*(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/=]+(?: .*)?")
_GOOD_SSH = re.compile(r'^Good "git" signature for (.+) with \S+ key (\S+)$', re.MULTILINE)
_STATUS = re.compile(r"^\[GNUPG:\] ([A-Z_]+)(?: (.*))?$", re.MULTILINE)
_BAD = {
    "BADSIG": "the signature is not of this tag",
    "EXPSIG": "the signature has expired",
    "EXPKEYSIG": "the key has expired",
    "REVKEYSIG": "the key was revoked",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """What is to be said of a tag's signature."""

    verdict: Verdict
    summary: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Signers:
    """Who may sign: lines of an allowed signers file, and fingerprints of OpenPGP keys."""

    lines: tuple[str, ...]
    fingerprints: frozenset[str]

    @classmethod
    def of(cls, configured: Sequence[str]) -> Signers:
        """The signers that the configuration names.

        Raises
        ------
        CockpitError: one of them is neither.
        """
        lines, fingerprints = [], set()
        for text in configured:
            found = _FINGERPRINT.fullmatch(text.replace(" ", ""))
            if found:
                fingerprints.add(found[1].upper())
            elif text.isprintable() and _ALLOWED.fullmatch(text):
                lines.append(text)
            else:
                raise CockpitError(
                    f"tool.cockpit.freeze.signers: {one_line(text)[:60]!r} is no line such as "
                    "'port@example.org ssh-ed25519 AAAA…' and no fingerprint of 40 digits"
                )
        return cls(tuple(lines), frozenset(fingerprints))

    def __bool__(self) -> bool:
        return bool(self.lines or self.fingerprints)


def judge(repository: Repository, tagged: Tagged, signers: Signers) -> Judged:
    """Whether one of the signers has signed a tag, and the signature holds."""
    if not signers:
        said = f"{tagged.signature.lower()}, not judged" if tagged.signature else "unsigned"
        return Judged(Verdict.SKIP, f"{said}: tool.cockpit.freeze.signers names nobody")
    if not tagged.signature:
        return Judged(
            Verdict.FAIL,
            "unsigned, and tool.cockpit.freeze.signers demands a signature",
            "freeze again under a new tag, with user.signingKey set",
        )
    if tagged.signature == SSH:
        return _ssh(repository, tagged.oid, signers)
    if tagged.signature == OPENPGP:
        return _openpgp(repository, tagged.oid, signers)
    kind = tagged.signature.lower()
    return Judged(Verdict.UNKNOWN, f"bears a {kind}; only ssh and OpenPGP are judged")


def _ssh(repository: Repository, oid: str, signers: Signers) -> Judged:
    with tempfile.TemporaryDirectory(prefix="cockpit-") as folder:
        allowed = Path(folder, "allowed_signers")
        allowed.write_text("".join(f"{line}\n" for line in signers.lines), encoding="utf-8")
        done = _verify(repository, oid, "-c", f"gpg.ssh.allowedSignersFile={allowed}")
    said = _said(done)
    good = _GOOD_SSH.search(said)
    if done.returncode == 0 and good:
        return Judged(Verdict.PASS, f"signed by {one_line(good[1])}, {good[2]}")
    if "cannot run" in said or "ssh-keygen -Y" in said:
        return Judged(Verdict.UNKNOWN, f"git could not judge it: {_line(said)}", _REMEDY_SSH)
    return Judged(
        Verdict.FAIL,
        f"none of the configured signers has signed it, or not at a time when they could: "
        f"{_line(said)}",
        "ask who made the tag; never add a signer to make this green",
    )


_REMEDY_SSH = "install OpenSSH 8.2 or later"


def _openpgp(repository: Repository, oid: str, signers: Signers) -> Judged:
    done = _verify(repository, oid)
    said = _said(done)
    found = {name: rest or "" for name, rest in _STATUS.findall(said)}
    bad = next((why for status, why in _BAD.items() if status in found), "")
    words = found.get("VALIDSIG", "").split()
    known = sorted({words[0], words[-1]} & signers.fingerprints) if words else []
    if bad:
        return Judged(Verdict.FAIL, bad, "freeze again under a new tag, with a key that holds")
    if done.returncode == 0 and "GOODSIG" in found and known:
        return Judged(Verdict.PASS, f"signed by {known[0]}")
    if words:
        return Judged(
            Verdict.FAIL,
            f"signed by {words[0]}, which tool.cockpit.freeze.signers does not name",
            "ask who made the tag; never add a signer to make this green",
        )
    key = found.get("NO_PUBKEY", "").split()
    if key:
        return Judged(
            Verdict.UNKNOWN, f"the public key {key[0]} is not in your keyring", "gpg --import it"
        )
    return Judged(Verdict.UNKNOWN, f"git could not judge it: {_line(said)}", "install GnuPG")


def _verify(repository: Repository, oid: str, *settings: str) -> Completed:
    # A level of trust is asked of the configuration here, not of somebody's keyring.
    own = ("-c", "gpg.minTrustLevel=undefined")
    return repository.run(*own, *settings, "verify-tag", "--raw", oid, check=False)


def _said(done: Completed) -> str:
    return (done.stdout + b"\n" + done.stderr).decode("utf-8", "backslashreplace")


def _line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return one_line(lines[-1])[:200] if lines else "no answer"
