"""Who we are to a forge: a token of the environment or of the GitHub CLI, and never of a file.

A token goes to one host alone, and which one that is says the user's machine: its remote or its
environment. What a repository tracks may name another host, but gets no token sent there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError
from pytest_cockpit.forge.addresses import is_loopback, without_port
from pytest_cockpit.forge.api import ForgeError

_PLAIN = re.compile(r"[!-~]{1,4096}")
_GH_TIMEOUT_S = 10.0
_PUBLIC = ("GITHUB_TOKEN", "GH_TOKEN")
_ENTERPRISE = ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
_GITLAB = ("GITLAB_TOKEN",)
_JOB = "CI_JOB_TOKEN"
_GITHUB_HOSTS = ("GITHUB_SERVER_URL", "GITHUB_API_URL", "GH_HOST")
_GITLAB_HOSTS = ("CI_SERVER_URL", "CI_SERVER_HOST", "CI_API_V4_URL", "GITLAB_HOST")


class Token:
    """A secret that shows itself nowhere; `source` is where it came from."""

    __slots__ = ("_secret", "source")

    def __init__(self, secret: str, source: str) -> None:
        self._secret = secret
        self.source = source

    def __repr__(self) -> str:
        return f"Token(from {self.source})"

    @property
    def is_job(self) -> bool:
        """Whether it is the token of a GitLab job, which goes under a header of its own."""
        return self.source == _JOB

    def reveal(self) -> str:
        """The secret itself, for the one header that carries it."""
        return self._secret

    def masked(self, text: str) -> str:
        """`text` without the secret, wherever somebody echoed it."""
        return text.replace(self._secret, "***")


def named_hosts(kind: str, environ: Mapping[str, str]) -> frozenset[str]:
    """Hosts of a forge that the environment names."""
    names = _GITHUB_HOSTS if kind == "github" else _GITLAB_HOSTS
    found = set()
    for name in names:
        value = environ.get(name, "").strip().lower()
        host = value.partition("://")[2] or value
        found.add(host.partition("/")[0].removeprefix("api."))
    return frozenset(found - {""})


def find(kind: str, host: str, environ: Mapping[str, str], cwd: Path) -> Token:
    """The token for a host.

    Raises
    ------
    ForgeError: there is none, or a variable holds something that is none.
    """
    for name in _variables(kind, host, environ):
        secret = environ.get(name, "").strip()
        if secret:
            if not _PLAIN.fullmatch(secret):
                raise ForgeError(f"{name}: holds no token: blanks or odd characters are in it")
            return Token(secret, name)
    found = _of_cli(host, cwd) if kind == "github" else None
    if found is None:
        names = _variables(kind, host, environ)
        cure = f"set {_PUBLIC[0] if _PUBLIC[0] in names else names[0]}"
        if kind == "github" and not is_loopback(without_port(host)):
            cure += f", or log in with: gh auth login --hostname {without_port(host)}"
        raise ForgeError(f"{host}: no token for it; {cure}")
    return found


def _variables(kind: str, host: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The variables whose tokens are meant for this host."""
    plain = without_port(host)
    named = is_loopback(plain) or bool({host, plain} & named_hosts(kind, environ))
    if kind == "gitlab":
        return (*_GITLAB, _JOB) if named else _GITLAB
    if plain == "github.com" or plain.endswith(".ghe.com"):
        return _PUBLIC
    return (*_ENTERPRISE, *_PUBLIC) if named else _ENTERPRISE


def _of_cli(host: str, cwd: Path) -> Token | None:
    """The token that the GitHub CLI keeps for a host; None without the program or a login."""
    plain = without_port(host)
    if is_loopback(plain):
        return None
    argv = ("gh", "auth", "token", "--hostname", plain)
    try:
        done = process.run(argv, cwd=cwd, timeout=_GH_TIMEOUT_S)
    except CockpitError:
        return None
    secret = done.stdout.decode("ascii", "replace").strip()
    if done.returncode or done.timed_out or not _PLAIN.fullmatch(secret):
        return None
    return Token(secret, "gh auth token")
