from __future__ import annotations

import base64
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import checkpoint, ledger, ledger_keys, merkle, signed_note
from pytest_cockpit.records.checkpoint import Checkpoint
from pytest_cockpit.records.ledger_keys import SigningMissing
from pytest_cockpit.records.ledger_rows import LedgerError
from pytest_cockpit.records.signed_note import Note, NoteError, Signature

# The example keys and notes that golang.org/x/mod/sumdb/note documents.
PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
BY_PETER = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdng"
    "otpRZb6KE6RyyBwJnAM=\n"
)
BY_ENOCH = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWL"
    "ox33WWd1RvMc+QQ=\n"
)
WHOLE = ledger.extend(b"", ({"kind": "x", "number": number} for number in range(5)))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(f"{PRIVATE}\n")
    return path


def verifiers(*keys: str):
    return [ledger_keys.verifier(key) for key in keys]


def ssh_key(folder: Path, name: str = "id") -> tuple[Path, str]:
    path = folder / name
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "port", "-f", path], check=True
    )
    return path, " ".join(path.with_suffix(".pub").read_text().split()[:2])


# Signed notes


def test_published_notes_are_made_again(key: Path):
    note = signed_note.sign(TEXT, [ledger_keys.signer(key)])
    assert note.to_bytes().decode() == f"{TEXT}\n{BY_PETER}"


def test_published_notes_are_read():
    note = signed_note.parse(f"{TEXT}\n{BY_PETER}{BY_ENOCH}".encode())
    assert note.text == TEXT
    assert note.signed_by(verifiers(PETER, ENOCH)) == ["PeterNeumann", "EnochRoot"]
    assert note.signed_by(verifiers(ENOCH)) == ["EnochRoot"]
    assert note.signed_by([]) == []
    assert note.to_bytes().decode() == f"{TEXT}\n{BY_PETER}{BY_ENOCH}"


def test_a_changed_text_is_not_signed():
    note = signed_note.parse(f"{TEXT.replace('know', 'knew')}\n{BY_PETER}".encode())
    with pytest.raises(NoteError, match="the signature of PeterNeumann is not under this text"):
        note.signed_by(verifiers(PETER))


def test_a_key_of_the_same_name_is_another_key(tmp_path: Path):
    private, other = ledger_keys.generate("PeterNeumann")
    (tmp_path / "other").write_text(private)
    note = signed_note.sign(TEXT, [ledger_keys.signer(tmp_path / "other")])
    assert note.signed_by(verifiers(PETER)) == []
    assert note.signed_by(verifiers(other)) == ["PeterNeumann"]
    assert note.signed_by(verifiers(PETER, other)) == ["PeterNeumann"]


def test_a_signature_that_is_there_twice_counts_once(key: Path):
    signer = ledger_keys.signer(key)
    note = signed_note.sign(TEXT, [signer, signer])
    assert note.signed_by(verifiers(PETER)) == ["PeterNeumann"]


def test_a_note_may_be_unsigned():
    note = signed_note.parse(f"{TEXT}\n".encode())
    assert note == Note(TEXT)
    assert note.signed_by(verifiers(PETER)) == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "has no blank line below its text"),
        (b"text\n", "has no blank line"),
        (b"text\n\n\xe2\x80\x94 a", "its last line does not end"),
        (b"text\n\nsigned\n", "a line below the blank one is no signature"),
        ("text\n\n— a b c\n".encode(), "not base64"),
        ("text\n\n— a AAAA\n".encode(), "a signature is too short"),
        ("text\n\n— a AAAAAA==\n".encode(), "a signature is too short"),
        ("text\n\n— a AAAAAAA\n".encode(), "not base64"),
        ("text\n\n— a AAAAAAB=\n".encode(), "not the one form of base64"),
        ("text\n\n—  AAAAAAAA\n".encode(), "a key's name has at least one character"),
        ("text\n\n— a+b AAAAAAAA\n".encode(), "no space and no plus"),
        (b"te\txt\n\n", "holds a control character"),
        (b"\xff\n\n", "not UTF-8"),
        (b"x" * 1_000_001, "longer than 1000000 bytes"),
        (b"text\n\n" + "— a AAAAAAAA\n".encode() * 101, "more than 100 signatures"),
    ],
)
def test_what_is_no_note_is_refused(data: bytes, words: str):
    with pytest.raises(NoteError) as caught:
        signed_note.parse(data)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "no end", "control\x01\n"])
def test_text_that_is_fit_for_no_note_is_not_signed(text: str):
    with pytest.raises(NoteError):
        signed_note.sign(text, [])


@given(st.binary(max_size=200) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(data):
    try:
        note, point = checkpoint.read(data)
    except NoteError:
        return
    assert note.to_bytes() == data
    assert point.text == note.text


@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc"]) | st.just("\n"), min_size=1
    ).map(lambda text: f"{text}\n"),
    st.lists(st.binary(min_size=1, max_size=70), max_size=3),
)
def test_what_is_written_reads_back(text, signatures):
    note = Note(text, tuple(Signature("port", b"1234", each) for each in signatures))
    assert signed_note.parse(note.to_bytes()) == note


# Keys


def test_keys_are_made_and_used(tmp_path: Path):
    private, public = ledger_keys.generate("port.example/ledger")
    (tmp_path / "key").write_text(private)
    note = signed_note.sign(TEXT, [ledger_keys.signer(tmp_path / "key")])
    assert note.signed_by(verifiers(public)) == ["port.example/ledger"]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("", "a key's name has at least one character"),
        ("port", "key port: expected an ed25519 key"),
        ("port+zz+AAAA", "key port: expected name+hash+base64"),
        (PETER.replace("c74f20a3", "c74f20a4"), "key PeterNeumann: its hash is another key's"),
        (PETER.replace("+ARpc", "+AXpc"), "key PeterNeumann: its hash is another key's"),
        ("port+c74f20a3+AQAA", "key port: expected an ed25519 key"),
        (PETER.replace("+ARpc", "+Ahpc"), "key PeterNeumann: expected an ed25519 key"),
        ("port rsa AAAA", "key port: expected name, type and key of OpenSSH"),
        ("port ssh-ed25519", "key port: expected name, type and key of OpenSSH"),
        ("port ssh-ed25519 A", "not base64"),
        ('p"rt ssh-ed25519 AAAA', "its name holds one of"),
        ("* ssh-ed25519 AAAA", "its name holds one of"),
    ],
)
def test_what_is_no_key_is_refused(key: str, words: str):
    with pytest.raises(NoteError) as caught:
        ledger_keys.verifier(key)
    assert words in str(caught.value)


@given(st.text(max_size=80))
def test_any_text_is_a_key_or_refused(text):
    try:
        ledger_keys.verifier(text)
    except NoteError:
        return


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hello", "no key of a signed note and none of OpenSSH"),
        (PRIVATE.replace("c74f20a3", "c74f20a4"), "key PeterNeumann: its hash is another key's"),
        ("PRIVATE+KEY+port", "key port: expected an ed25519 key"),
        ("PRIVATE+KEY+port+c74f20a3+AQAA", "key port: expected an ed25519 key"),
    ],
)
def test_a_file_that_holds_no_key_is_named(tmp_path: Path, text: str, words: str):
    path = tmp_path / "key"
    path.write_text(text)
    with pytest.raises(CockpitError) as caught:
        ledger_keys.signer(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)
    assert "AYEKFALVFGyN" not in str(caught.value)


def test_a_key_file_that_is_missing_is_named(tmp_path: Path):
    with pytest.raises(CockpitError, match="cannot read"):
        ledger_keys.signer(tmp_path / "none")


def test_a_key_of_openssh_signs_and_verifies(tmp_path: Path):
    path, public = ssh_key(tmp_path)
    known = verifiers(f"port {public} a comment")
    note = signed_note.sign(TEXT, [ledger_keys.signer(path, known)])
    assert note.signed_by(known) == ["port"]
    assert signed_note.parse(note.to_bytes()) == note
    changed = Note(TEXT.replace("know", "knew"), note.signatures)
    with pytest.raises(NoteError, match="the signature of port is not under this text"):
        changed.signed_by(known)


def test_a_signature_of_openssh_for_another_purpose_does_not_count(tmp_path: Path):
    path, public = ssh_key(tmp_path)
    [known] = verifiers(f"port {public}")
    done = subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-f", path, "-n", "file"],
        input=TEXT.encode(),
        capture_output=True,
        check=True,
    )
    armored = done.stdout.decode().strip().splitlines()[1:-1]
    assert known.verify(TEXT.encode(), base64.b64decode("".join(armored))) is False
    assert known.verify(TEXT.encode(), b"garbage") is False


def test_a_key_of_openssh_gets_its_name_from_the_configuration_or_the_command(tmp_path: Path):
    path, public = ssh_key(tmp_path)
    other, _ = ssh_key(tmp_path, "other")
    known = verifiers(PETER, f"port {public}")
    assert ledger_keys.signer(path, known).name == "port"
    assert ledger_keys.signer(path, known, "else").name == "port"
    assert ledger_keys.signer(other, known, "quay").name == "quay"
    with pytest.raises(CockpitError, match="none of the configured keys; add `NAME ssh-ed25519"):
        ledger_keys.signer(other, known)
    path.with_suffix(".pub").unlink()
    assert ledger_keys.signer(path, known).name == "port"


def test_what_signs_must_be_installed(tmp_path: Path, key: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    note = signed_note.parse(f"{TEXT}\n{BY_PETER}".encode())
    for use in (
        lambda: ledger_keys.signer(key),
        lambda: note.signed_by(verifiers(PETER)),
        lambda: ledger_keys.generate("port"),
    ):
        with pytest.raises(SigningMissing, match=r"pip install 'pytest-cockpit\[sign\]'"):
            use()


def test_ssh_keygen_must_be_installed(tmp_path: Path, monkeypatch):
    path, public = ssh_key(tmp_path)
    known = verifiers(f"port {public}")
    note = signed_note.sign(TEXT, [ledger_keys.signer(path, known)])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SigningMissing, match="install OpenSSH"):
        note.signed_by(known)


# Checkpoints


def test_a_checkpoint_is_as_c2sp_has_it():
    root = merkle.root([merkle.leaf(line) for line in WHOLE.splitlines(keepends=True)])
    data = checkpoint.write(io.BytesIO(WHOLE), "port.example/promotions")
    shown = base64.b64encode(root).decode()
    assert data.decode() == f"port.example/promotions\n5\n{shown}\n\n"
    note, point = checkpoint.read(data)
    assert point == Checkpoint("port.example/promotions", 5, root)
    assert note.signatures == ()


def test_the_example_of_the_specification_is_read():
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    point = Checkpoint.parse(text)
    assert (point.origin, point.size) == ("example.com/behind-the-sofa", 20852163)
    assert point.root.hex().startswith("0ac5186a91863e8e1d90c808014aa89b")
    assert point.text == text
    extended = Checkpoint.parse(f"{text}Timestamp: 1679315147\n")
    assert extended.extensions == ("Timestamp: 1679315147",)
    assert extended.text == f"{text}Timestamp: 1679315147\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "three lines or more"),
        ("a\n1\n", "three lines or more"),
        ("a\n1\nAAAA", "three lines or more"),
        ("\n1\nAAAA\n", "none of them empty"),
        (f"a\n1\n{'A' * 43}=\n\n", "none of them empty"),
        ("a\n01\nAAAA\n", "no tree size"),
        ("a\n-1\nAAAA\n", "no tree size"),
        ("a\n+1\nAAAA\n", "no tree size"),
        ("a\n1\nAAAA\n", "no tree head"),
        ("a\n1\n?\n", "not base64"),
        (f"a\n1\n{'A' * 42}B=\n", "not the one form of base64"),
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str, words: str):
    with pytest.raises(NoteError) as caught:
        Checkpoint.parse(text)
    assert words in str(caught.value)


@pytest.mark.parametrize("damaged", [WHOLE[:-1], WHOLE.replace(b"3", b"4"), b"\n"])
def test_nobody_vouches_for_a_broken_ledger(damaged: bytes):
    with pytest.raises(LedgerError, match="restore the ledger from git"):
        checkpoint.write(io.BytesIO(damaged), "port.example")


def test_a_checkpoint_lies_beside_its_ledger():
    assert checkpoint.path_of(".cockpit/promotions.ndjson") == ".cockpit/promotions.checkpoint"
    assert checkpoint.path_of("log/rows") == "log/rows.checkpoint"


# Growing with the ledger


def test_an_unsigned_checkpoint_grows_with_its_ledger():
    old = checkpoint.write(io.BytesIO(WHOLE.splitlines(keepends=True)[0]), "port.example")
    data = checkpoint.refreshed(old, WHOLE, None)
    assert checkpoint.read(data)[1].size == 5
    assert checkpoint.read(data)[1].origin == "port.example"


def test_there_is_no_checkpoint_where_there_was_none():
    assert checkpoint.refreshed(b"", WHOLE, None) == b""


def test_a_signed_checkpoint_grows_where_its_key_is(key: Path):
    signer = ledger_keys.signer(key)
    old = checkpoint.write(io.BytesIO(b""), "port.example", [signer])
    assert checkpoint.refreshed(old, WHOLE, None) == old
    assert checkpoint.refreshed(old, WHOLE, None, [PETER]) == old
    note, point = checkpoint.read(checkpoint.refreshed(old, WHOLE, key, [PETER]))
    assert point.size == 5
    assert note.signed_by(verifiers(PETER)) == ["PeterNeumann"]
    unsigned = checkpoint.write(io.BytesIO(b""), "port.example")
    assert checkpoint.refreshed(unsigned, WHOLE, None, [PETER]) == unsigned


def test_no_other_checkpoint_is_signed_for_rows_that_were_changed(key: Path):
    signer = ledger_keys.signer(key)
    forged = WHOLE.splitlines(keepends=True)[0]
    other = ledger.extend(b"", [{"kind": "forged"}] * 7)
    for signers, use in (([signer], key), ([], None)):
        old = checkpoint.write(io.BytesIO(WHOLE), "port.example", signers)
        for data in (forged, other, b""):
            with pytest.raises(NoteError, match="first 5 rows are not those"):
                checkpoint.refreshed(old, data, use)
    lost = Checkpoint("port.example", 0, b"x" * 32)
    with pytest.raises(NoteError, match="first 0 rows"):
        checkpoint.refreshed(signed_note.sign(lost.text, []).to_bytes(), WHOLE, None)


def test_a_key_takes_no_checkpoint_over_that_nobody_configured_has_signed(key: Path, tmp_path):
    unsigned = checkpoint.write(io.BytesIO(b""), "port.example")
    with pytest.raises(NoteError, match="no configured key has signed it"):
        checkpoint.refreshed(unsigned, WHOLE, key, [PETER])
    old = checkpoint.write(io.BytesIO(b""), "port.example", [ledger_keys.signer(key)])
    private, _ = ledger_keys.generate("stranger")
    strange = tmp_path / "strange"
    strange.write_text(private)
    with pytest.raises(NoteError, match="strange is none of the configured keys"):
        checkpoint.refreshed(old, WHOLE, strange, [PETER])


def test_no_secret_is_in_a_checkpoint(key: Path):
    data = checkpoint.write(io.BytesIO(WHOLE), "port.example", [ledger_keys.signer(key)])
    assert b"AYEKFALVFGyN" not in data
    assert os.fsencode(key) not in data
