"""Two network namespaces that reach each other by ssh alone: two hosts on one machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_SBIN = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
_NEAR, _FAR = "198.51.100.1", "198.51.100.2"  # RFC 5737: addresses of documentation
_PRIVILEGES = Path("/run/sshd")
_SERVER = """\
ListenAddress {far}
HostKey {folder}/host
AuthorizedKeysFile {folder}/key.pub
PidFile none
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
"""
_CLIENT = """\
Host harbour
  HostName {far}
  User root
  IdentityFile {folder}/key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known
  StrictHostKeyChecking accept-new
  LogLevel ERROR
"""


@dataclass(frozen=True)
class TwoHosts:
    """One that commands are given on, and one called `harbour` that it reaches by ssh.

    Parameters
    ----------
    near: prefix of a command line that is run on the first.
    spec: the second for `--tx`, less the folder to work in.
    """

    near: tuple[str, ...]
    spec: str


def lacking() -> str:
    """Why there cannot be two hosts here; empty where there can."""
    if os.geteuid() != 0:
        return "only root can make network namespaces"
    missing = [name for name in ("ip", "ssh", "sshd", "ssh-keygen") if not _found(name)]
    return f"not installed: {', '.join(missing)}" if missing else ""


@contextlib.contextmanager
def connected(folder: Path) -> Iterator[TwoHosts]:
    """Both hosts, gone afterwards; skips the test where there cannot be any."""
    reason = lacking()
    if reason:
        pytest.skip(reason)
    names = [f"cockpit-{os.getpid()}-{end}" for end in ("near", "far")]
    links = [f"ck{os.getpid() % 10**8}{end}" for end in ("n", "f")]
    with contextlib.ExitStack() as undo:
        for name in names:
            made = _ip("netns", "add", name, check=False)
            if made.returncode:
                pytest.skip(f"no network namespaces here: {made.stderr.strip()}")
            undo.callback(_ip, "netns", "delete", name)
        made = _ip("link", "add", links[0], "type", "veth", "peer", "name", links[1], check=False)
        if made.returncode:
            pytest.skip(f"no virtual network devices here: {made.stderr.strip()}")
        for name, link, address in zip(names, links, (_NEAR, _FAR), strict=True):
            _ip("link", "set", link, "netns", name)
            _ip("-n", name, "address", "add", f"{address}/30", "dev", link)
            _ip("-n", name, "link", "set", link, "up")
            _ip("-n", name, "link", "set", "lo", "up")
        undo.enter_context(_listening(names[1], folder))
        config = folder / "client"
        config.write_text(_CLIENT.format(far=_FAR, folder=folder))
        near = (_found("ip"), "netns", "exec", names[0])
        _wait([*near, "ssh", "-F", str(config), "harbour", "true"])
        yield TwoHosts(near, f"ssh=harbour//ssh_config={config}//python={sys.executable}")


@contextlib.contextmanager
def _listening(name: str, folder: Path) -> Iterator[None]:
    """A server with a key that is made for it."""
    for key in ("host", "key"):
        argv = [_found("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)]
        subprocess.run(argv, check=True)
    config = folder / "server"
    config.write_text(_SERVER.format(far=_FAR, folder=folder))
    own = not _PRIVILEGES.exists()
    _PRIVILEGES.mkdir(mode=0o755, exist_ok=True)
    argv = [_found("ip"), "netns", "exec", name, _found("sshd"), "-D", "-e", "-f", str(config)]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(argv, stdout=log, stderr=log)
    try:
        yield
    finally:
        server.terminate()
        server.wait()
        if own:
            with contextlib.suppress(OSError):
                _PRIVILEGES.rmdir()


def _wait(argv: list[str]) -> None:
    deadline = time.monotonic() + 30
    while True:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        assert time.monotonic() < deadline, done.stderr
        time.sleep(0.2)


def _ip(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    argv = [_found("ip"), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=check)


def _found(name: str) -> str:
    return shutil.which(name, path=_SBIN) or ""
