"""Signed tags: with real keys of OpenSSH and GnuPG, by somebody who may and by others."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.config import Config, Freeze
from pytest_cockpit.freeze import signatures, tagging
from pytest_cockpit.freeze.signatures import Judged, Signers
from pytest_cockpit.freeze.tagged import described
from pytest_cockpit.freeze.verify import verify
from pytest_cockpit.git import GitError
from tests.freezes import TAG, Harbour, make

MESSAGE = "Freeze v1\n\nFreeze: baseline\n"
ssh = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="OpenSSH is not installed")
gnupg = pytest.mark.skipif(not shutil.which("gpg"), reason="GnuPG is not installed")


def run(*words: str | Path, **more: str) -> str:
    done = subprocess.run(
        words, env={**os.environ, **more}, capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Harbour:
    return make(tmp_path_factory.mktemp("signed") / "harbour")


@pytest.fixture
def harbour(built: Harbour) -> Iterator[Harbour]:
    """The repository, unsigned by default."""
    yield built
    for key in ("gpg.format", "user.signingKey", "tag.gpgSign", "gpg.ssh.program"):
        subprocess.run(["git", "config", "--unset", key], cwd=built.root, check=False)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two keys of OpenSSH: that of the harbour master, and a stranger's."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("master", "stranger"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name)
    return {name: folder / name for name in ("master", "stranger")}


@pytest.fixture(scope="module")
def keyring() -> Iterator[tuple[Path, dict[str, str]]]:
    """A home of GnuPG with two keys, and a third that has expired, each by its fingerprint."""
    # The path of a socket may not be long.
    with tempfile.TemporaryDirectory(prefix="gpg") as folder:
        home = Path(folder)
        home.chmod(0o700)
        found = {}
        for name, until in (
            ("master", "never"),
            ("stranger", "never"),
            ("late", "20200102T000000"),
        ):
            clock = ["--faked-system-time", "20200101T000000!"] if name == "late" else []
            batch = ["--batch", "--pinentry-mode", "loopback", "--passphrase", ""]
            run(
                "gpg",
                *batch,
                *clock,
                "--quick-generate-key",
                f"{name}@example.org",
                "ed25519",
                "sign",
                until,
                GNUPGHOME=folder,
            )
            listed = run(
                "gpg", "--list-keys", "--with-colons", f"{name}@example.org", GNUPGHOME=folder
            )
            found[name] = next(row for row in listed.splitlines() if row.startswith("fpr")).split(
                ":"
            )[9]
        yield home, found
        subprocess.run(
            ["gpgconf", "--kill", "all"], env={**os.environ, "GNUPGHOME": folder}, check=False
        )


def line(key: Path, options: str = "") -> str:
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    return " ".join(filter(None, ["master@example.org", options, public]))


def use(harbour: Harbour, kind: str, key: str | Path) -> None:
    harbour.git("config", "gpg.format", kind)
    harbour.git("config", "user.signingKey", str(key))
    harbour.git("config", "tag.gpgSign", "true")


def tag(harbour: Harbour, *signers: str, name: str = "v1") -> str:
    """The object of a tag on HEAD, signed as git is configured, refused where nobody may."""
    settings = Config(freeze=Freeze(signers=signers))
    head = harbour.git("rev-parse", "HEAD")
    return tagging.made(harbour.repository, settings, name, head, MESSAGE)


def judge(harbour: Harbour, oid: str, *signers: str) -> Judged:
    return signatures.judge(
        harbour.repository, described(harbour.repository, "v1", oid), Signers.of(signers)
    )


@ssh
def test_a_tag_is_signed_with_a_key_of_openssh(harbour: Harbour, keys: dict[str, Path]):
    use(harbour, "ssh", keys["master"])
    oid = tag(harbour, line(keys["master"]))
    found = judge(harbour, oid, line(keys["master"]), line(keys["stranger"]))
    assert found.verdict is Verdict.PASS
    assert "master@example.org" in found.summary
    assert harbour.git("tag", "--list") == ""
    # Without signers it is not judged, and said so.
    assert judge(harbour, oid).verdict is Verdict.SKIP
    assert "ssh signature, not judged" in judge(harbour, oid).summary


@ssh
def test_signers_demand_a_signature_though_git_would_not_sign(
    harbour: Harbour, keys: dict[str, Path]
):
    use(harbour, "ssh", keys["master"])
    harbour.git("config", "tag.gpgSign", "false")
    assert described(harbour.repository, "v1", tag(harbour)).signature == ""
    oid = tag(harbour, line(keys["master"]))
    assert judge(harbour, oid, line(keys["master"])).verdict is Verdict.PASS


@ssh
def test_a_stranger_signs(harbour: Harbour, keys: dict[str, Path]):
    use(harbour, "ssh", keys["stranger"])
    oid = tag(harbour)
    found = judge(harbour, oid, line(keys["master"]))
    assert found.verdict is Verdict.FAIL
    assert "none of the configured signers" in found.summary
    with pytest.raises(GitError, match="nothing was published"):
        tag(harbour, line(keys["master"]))
    # Whom the user's own settings would allow is nobody's business here.
    allowed = harbour.root.parent / "allowed"
    allowed.write_text(line(keys["stranger"]) + "\n")
    harbour.git("config", "gpg.ssh.allowedSignersFile", str(allowed))
    assert judge(harbour, oid, line(keys["master"])).verdict is Verdict.FAIL


@ssh
def test_a_key_counts_only_while_it_is_valid_and_for_git(harbour: Harbour, keys: dict[str, Path]):
    use(harbour, "ssh", keys["master"])
    oid = tag(harbour)
    for options, verdict in (
        ('valid-before="20200101"', Verdict.FAIL),
        ('valid-after="20990101"', Verdict.FAIL),
        ('namespaces="file"', Verdict.FAIL),
        ('namespaces="git",valid-after="20200101"', Verdict.PASS),
    ):
        assert judge(harbour, oid, line(keys["master"], options)).verdict is verdict, options


@ssh
@pytest.mark.parametrize("kind", ["edited", "borrowed"])
def test_a_signature_is_of_another_tag(harbour: Harbour, keys: dict[str, Path], kind: str):
    use(harbour, "ssh", keys["master"])
    raw = harbour.git("cat-file", "tag", tag(harbour)) + "\n"
    if kind == "edited":
        forged = raw.replace("Freeze: baseline", "Freeze: production")
    else:
        forged = raw.replace("tag v1\n", "tag v2\n")
    oid = harbour.git("hash-object", "-t", "tag", "-w", "--stdin", stdin=forged.encode())
    assert judge(harbour, oid, line(keys["master"])).verdict is Verdict.FAIL


@ssh
def test_an_unsigned_tag_where_signers_are_configured(harbour: Harbour, keys: dict[str, Path]):
    found = judge(harbour, tag(harbour), line(keys["master"]))
    assert (found.verdict, found.summary.partition(",")[0]) == (Verdict.FAIL, "unsigned")


@ssh
def test_a_tag_that_cannot_be_signed_is_not_made(harbour: Harbour, keys: dict[str, Path]):
    use(harbour, "ssh", keys["master"].with_name("nobody"))
    for signers in ((line(keys["master"]),), ()):
        with pytest.raises(GitError, match=r"git could not sign it|git tag: "):
            tag(harbour, *signers)
    assert harbour.git("tag", "--list") == ""


@ssh
def test_nobody_can_tell_without_the_program_that_verifies(harbour: Harbour, keys: dict[str, Path]):
    use(harbour, "ssh", keys["master"])
    oid = tag(harbour)
    harbour.git("config", "gpg.ssh.program", "/nowhere/ssh-keygen")
    assert judge(harbour, oid, line(keys["master"])).verdict in (Verdict.UNKNOWN, Verdict.FAIL)


@gnupg
def test_a_tag_is_signed_with_openpgp(harbour: Harbour, keyring, monkeypatch):
    home, prints = keyring
    monkeypatch.setenv("GNUPGHOME", str(home))
    use(harbour, "openpgp", prints["master"])
    oid = tag(harbour, prints["master"])
    spaced = " ".join(prints["master"][at : at + 4] for at in range(0, 40, 4)).lower()
    assert judge(harbour, oid, spaced).verdict is Verdict.PASS
    found = judge(harbour, oid, prints["stranger"])
    assert found.verdict is Verdict.FAIL
    assert f"signed by {prints['master']}, which" in found.summary
    # A line for OpenSSH lets nobody of OpenPGP in.
    odd = "master@example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE"
    assert judge(harbour, oid, odd).verdict is Verdict.FAIL
    raw = harbour.git("cat-file", "tag", oid) + "\n"
    forged = raw.replace("Freeze: baseline", "Freeze: production").encode()
    other = harbour.git("hash-object", "-t", "tag", "-w", "--stdin", stdin=forged)
    assert "not of this tag" in judge(harbour, other, prints["master"]).summary


@gnupg
def test_a_key_of_openpgp_that_nobody_has_here(harbour: Harbour, keyring, monkeypatch, tmp_path):
    home, prints = keyring
    monkeypatch.setenv("GNUPGHOME", str(home))
    use(harbour, "openpgp", prints["master"])
    oid = tag(harbour, prints["master"])
    empty = tmp_path / "empty"
    empty.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(empty))
    found = judge(harbour, oid, prints["master"])
    assert found.verdict is Verdict.UNKNOWN
    assert "keyring" in found.summary


@gnupg
def test_a_key_of_openpgp_has_expired(harbour: Harbour, keyring, monkeypatch, tmp_path):
    home, prints = keyring
    monkeypatch.setenv("GNUPGHOME", str(home))
    use(harbour, "openpgp", prints["late"])
    program = tmp_path / "gpg-then"
    program.write_text('#!/bin/sh\nexec gpg --faked-system-time "20200101T010000!" "$@"\n')
    program.chmod(0o755)
    harbour.git("config", "gpg.program", str(program))
    oid = tag(harbour)
    harbour.git("config", "--unset", "gpg.program")
    found = judge(harbour, oid, prints["late"])
    assert (found.verdict, found.summary) == (Verdict.FAIL, "the key has expired")


@ssh
def test_a_freeze_is_signed_and_verified(tmp_path: Path, keys: dict[str, Path]):
    harbour = make(tmp_path / "harbour")
    signer = line(keys["master"])
    (harbour.root / "cockpit.toml").write_text(f"[freeze]\nsigners = ['{signer}']\n")
    harbour.commit("signers")
    use(harbour, "ssh", keys["master"])
    harbour.freeze()
    assert verify(harbour.repository, harbour.settings, TAG).verdict is Verdict.PASS
    message = harbour.git(
        "tag", "--list", "--format=%(contents:subject)%0a%0a%(contents:body)", TAG
    )
    harbour.git("-c", "tag.gpgSign=false", "tag", "-f", "-a", f"-m{message}", TAG, "HEAD")
    found = verify(harbour.repository, harbour.settings, TAG)
    assert {check.name for check in found.checks if check.verdict is Verdict.FAIL} == {"signature"}
    harbour.git("config", "user.signingKey", str(keys["stranger"]))
    with pytest.raises(GitError, match="nothing was published"):
        harbour.freeze("v0.02-baseline")
    assert harbour.git("tag", "--list") == TAG


@given(st.lists(st.text(max_size=80), max_size=3))
def test_whatever_is_configured_is_a_signer_or_refused(configured: list[str]):
    try:
        found = Signers.of(configured)
    except CockpitError:
        return
    assert len(found.lines) + len(found.fingerprints) <= len(configured)
    assert all("\n" not in text for text in found.lines)


@pytest.mark.parametrize("text", ["master", "master ssh-ed25519", "a b\nc ssh-rsa AAAA", "0" * 39])
def test_a_signer_that_is_none(text: str):
    with pytest.raises(CockpitError, match=r"tool\.cockpit\.freeze\.signers"):
        Signers.of([text])
