"""The keys that sign checkpoints: ed25519 keys of signed notes, and keys of OpenSSH."""

from __future__ import annotations

import base64
import os
import secrets
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError
from pytest_cockpit.records.artifacts import os_error
from pytest_cockpit.records.signed_note import (
    NoteError,
    Signer,
    Verifier,
    demand_name,
    key_hash,
    unbase64,
)

NAMESPACE = "pytest-cockpit-checkpoint"
"""What `ssh-keygen -Y` signs for, so that a signature made for something else does not count."""

KEY_VARIABLE = "COCKPIT_LEDGER_KEY"
"""Names the file with the key that signs checkpoints."""

_ED25519 = b"\x01"
_SSH = b"\xffsshsig"
_PRIVATE = "PRIVATE+KEY+"
_KEY_BYTES = 32
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_SECONDS = 60.0


class SigningMissing(CockpitError):
    """What signs or verifies is not installed."""


@dataclass(frozen=True, slots=True)
class Ed25519Verifier:
    """A key such as `name+5a3b0c1d+AQ…`."""

    name: str
    hashed: bytes
    key: bytes

    def verify(self, text: bytes, signature: bytes) -> bool:
        """Whether the signature is this key's under the text."""
        _demand_cryptography()
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, text)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Ed25519Signer:
    """A key such as `PRIVATE+KEY+name+5a3b0c1d+AQ…`."""

    name: str
    hashed: bytes
    seed: bytes

    def sign(self, text: bytes) -> bytes:
        """The signature under the text."""
        _demand_cryptography()
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(text)


@dataclass(frozen=True, slots=True)
class SshVerifier:
    """A key such as `name ssh-ed25519 AAAA…`, the form of OpenSSH's allowed signers."""

    name: str
    hashed: bytes
    public: str

    def verify(self, text: bytes, signature: bytes) -> bool:
        """Whether `ssh-keygen` says that the signature is this key's under the text."""
        encoded = base64.encodebytes(signature).decode()
        with tempfile.TemporaryDirectory(prefix="cockpit-") as folder:
            signers, armored = Path(folder, "signers"), Path(folder, "signature")
            signers.write_text(f'{self.name} namespaces="{NAMESPACE}" {self.public}\n')
            armored.write_text(f"{_BEGIN}\n{encoded}{_END}\n")
            places = ("-f", signers, "-I", self.name, "-n", NAMESPACE, "-s", armored)
            return _ssh_keygen("verify", *places, text=text).returncode == 0


@dataclass(frozen=True, slots=True)
class SshSigner:
    """The private key in a file, or the public one in a file when an agent holds the other."""

    name: str
    hashed: bytes
    path: Path

    def sign(self, text: bytes) -> bytes:
        """The signature under the text."""
        done = _ssh_keygen("sign", "-f", self.path, "-n", NAMESPACE, "-q", text=text)
        armored = done.stdout.decode("ascii", "replace").strip()
        if done.returncode or not armored.startswith(_BEGIN) or not armored.endswith(_END):
            raise CockpitError(f"{self.path}: ssh-keygen did not sign; check the key or the agent")
        return base64.b64decode(armored.removeprefix(_BEGIN).removesuffix(_END))


def key_file() -> Path | None:
    """The file of the key that signs, where the environment names one."""
    named = os.environ.get(KEY_VARIABLE)
    return Path(named).expanduser() if named else None


def verifier(key: str) -> Verifier:
    """The verifier of a configured key: `name+hash+base64` or `name ssh-type base64`.

    Raises
    ------
    NoteError: it is neither.
    """
    if " " in key.strip():
        return _ssh_verifier(key)
    name, hashed, data = _plain_key(key)
    if data[:1] != _ED25519 or len(data) != 1 + _KEY_BYTES:
        raise NoteError(f"key {name}: expected an ed25519 key")
    if hashed != key_hash(name, data):
        raise NoteError(f"key {name}: its hash is another key's")
    return Ed25519Verifier(name, hashed, data[1:])


def signer(path: Path, verifiers: Sequence[Verifier] = (), name: str | None = None) -> Signer:
    """The signer whose private key is in a file.

    An OpenSSH key bears no name: it is the one under which `verifiers` have its public half, or
    `name`.

    Raises
    ------
    CockpitError: there is no usable key.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        raise os_error(path, "cannot read", error) from error
    if text.startswith(_PRIVATE):
        try:
            return _ed25519_signer(text.removeprefix(_PRIVATE))
        except NoteError as error:
            raise NoteError(f"{path}: {error}") from None
    return _ssh_signer(path, verifiers, name)


def generate(name: str) -> tuple[str, str]:
    """A new ed25519 key: the private one for a file, and its verifier for the configuration."""
    demand_name(name)
    _demand_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    seed = secrets.token_bytes(_KEY_BYTES)
    key = _ED25519 + Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    shown = f"{name}+{key_hash(name, key).hex()}"
    secret = base64.b64encode(_ED25519 + seed).decode()
    return f"{_PRIVATE}{shown}+{secret}", f"{shown}+{base64.b64encode(key).decode()}"


def _plain_key(key: str) -> tuple[str, bytes, bytes]:
    name, _, rest = key.partition("+")
    hashed, _, encoded = rest.partition("+")
    demand_name(name)
    try:
        return name, bytes.fromhex(hashed), unbase64(encoded)
    except ValueError:
        raise NoteError(f"key {name}: expected name+hash+base64") from None


def _ed25519_signer(key: str) -> Ed25519Signer:
    name, hashed, data = _plain_key(key)
    if data[:1] != _ED25519 or len(data) != 1 + _KEY_BYTES:
        raise NoteError(f"key {name}: expected an ed25519 key")
    _demand_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = Ed25519PrivateKey.from_private_bytes(data[1:]).public_key().public_bytes_raw()
    if hashed != key_hash(name, _ED25519 + public):
        raise NoteError(f"key {name}: its hash is another key's")
    return Ed25519Signer(name, hashed, data[1:])


def _ssh_verifier(key: str) -> SshVerifier:
    name, *public = key.split()[:3]
    demand_name(name)
    if len(public) != 2 or not public[0].startswith(("ssh-", "ecdsa-", "sk-")):  # noqa: PLR2004 - type and key
        raise NoteError(f"key {name}: expected name, type and key of OpenSSH")
    # Quotes and wildcards mean something in a file of allowed signers.
    if any(char in '*?!,"#' for char in name):
        raise NoteError(f'key {name}: its name holds one of *?!,"#')
    return SshVerifier(name, key_hash(name, _SSH + unbase64(public[1])), " ".join(public))


def _ssh_signer(path: Path, verifiers: Sequence[Verifier], name: str | None) -> SshSigner:
    done = _ssh_keygen_public(path)
    for known in verifiers:
        if isinstance(known, SshVerifier) and known.public == done:
            return SshSigner(known.name, known.hashed, path)
    if name is None:
        raise CockpitError(
            f"{path}: none of the configured keys; add `NAME {done}` to gate.ledger.keys, or say "
            "its name with --name"
        )
    found = _ssh_verifier(f"{name} {done}")
    return SshSigner(found.name, found.hashed, path)


def _ssh_keygen_public(path: Path) -> str:
    """The type and key of the public half that belongs to a key file."""
    beside = path if path.suffix == ".pub" else path.with_name(f"{path.name}.pub")
    if beside.is_file():
        words = beside.read_text(encoding="utf-8", errors="replace").split()[:2]
    else:
        done = process.run(["ssh-keygen", "-y", "-P", "", "-f", path], cwd=Path("/"))
        words = done.stdout.decode("utf-8", "replace").split()[:2]
    if len(words) != 2:  # noqa: PLR2004 - type and key
        raise CockpitError(f"{path}: no key of a signed note and none of OpenSSH; choose another")
    return " ".join(words)


def _ssh_keygen(action: str, *options: str | Path, text: bytes) -> process.Completed:
    try:
        argv = ["ssh-keygen", "-Y", action, *options]
        return process.run(argv, cwd=Path("/"), input=text, timeout=_SECONDS)
    except CockpitError as error:
        raise SigningMissing(
            "ssh-keygen: cannot be run; install OpenSSH to verify its signatures"
        ) from error


def _demand_cryptography() -> None:
    try:
        import cryptography  # noqa: F401 - only whether it is there
    except ImportError:
        raise SigningMissing(
            "cryptography is not installed; pip install 'pytest-cockpit[sign]'"
        ) from None
