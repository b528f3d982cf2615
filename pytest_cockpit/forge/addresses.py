"""Where a repository's forge is, told from the URL of its remote; nothing is asked of anybody."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

_HOST = re.compile(r"[a-z0-9]([a-z0-9_.-]*[a-z0-9])?")
_PART = re.compile(r"[A-Za-z0-9_.~-]+")
_SCP = re.compile(r"(?:[^@/\s:]+@)?(?P<host>[^@/\s:]+):(?P<path>(?!//).+)", re.DOTALL)
_WEB = ("https", "http")
_SCHEMES = (*_WEB, "ssh", "git", "git+ssh", "git+https")
# SSH through port 443, for networks that let nothing else out.
_SSH_HOSTS = {"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com"}
_LEAST_PARTS = 2
_PORTS = range(1, 1 << 16)


@dataclass(frozen=True, slots=True)
class Address:
    """A repository as its remote names it.

    Parameters
    ----------
    host: lower case, with the port where the remote is a web address that has one.
    repository: `owner/name`; on GitLab there may be more parts.
    """

    host: str
    repository: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a forge is asked: `kind` is `github` or `gitlab`, `api` the base of its REST API."""

    kind: str
    host: str
    api: str
    repository: str

    @property
    def name(self) -> str:
        """How to call it, to people."""
        return f"{self.host}/{self.repository}"


def parse(url: str) -> Address | None:
    """The address in a remote's URL; None where it is a folder, or nothing that a forge serves."""
    if not url.isprintable() or any(char.isspace() for char in url):
        return None
    scheme, mark, _ = url.partition("://")
    if mark:
        return _of_url(url) if scheme.lower() in _SCHEMES else None
    found = _SCP.fullmatch(url)
    # One letter before a colon is a drive, not a host.
    if found is None or len(found["host"]) == 1:
        return None
    return _address(found["host"], found["path"])


def _of_url(url: str) -> Address | None:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if ":" in host:
        host = f"[{host}]"
    # The port of SSH is not that of the API.
    if port and parts.scheme.lower() in _WEB:
        host += f":{port}"
    return _address(host, parts.path)


def _address(host: str, path: str) -> Address | None:
    name = _SSH_HOSTS.get(host.lower(), host.lower())
    plain, _, _ = name.partition(":")
    path = unquote(path).strip("/")
    segments = path.removesuffix(".git").split("/")
    if not (name.startswith("[") or _HOST.fullmatch(plain)) or len(segments) < _LEAST_PARTS:
        return None
    if not all(_PART.fullmatch(part) and part.strip(".") for part in segments):
        return None
    return Address(name, "/".join(segments))


def kind_of(host: str) -> str | None:
    """Which forge a host is by its name alone; None where the name does not tell."""
    plain = host.partition(":")[0]
    for kind in ("github", "gitlab"):
        if plain == f"{kind}.com" or plain.startswith(f"{kind}."):
            return kind
    return "github" if plain.endswith(".ghe.com") else None


def api_of(kind: str, host: str) -> str:
    """Base of the REST API of a forge at a host."""
    if kind == "gitlab":
        return f"https://{host}/api/v4"
    if host == "github.com" or host.endswith(".ghe.com"):
        return f"https://api.{host}"
    return f"https://{host}/api/v3"


def host_of(api: str) -> str:
    """The host of an API's base, as remotes call it; empty where the URL is none that is used.

    Plain http is for this machine alone: on any other way somebody could read the token.
    """
    try:
        parts = urlsplit(api)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return ""
    usable = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    if not (usable and host) or parts.username is not None or parts.query or parts.fragment:
        return ""
    if host == "api.github.com" or (host.startswith("api.") and host.endswith(".ghe.com")):
        host = host.removeprefix("api.")
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{port}" if port else host


def is_loopback(host: str) -> bool:
    """Whether a host, without its port, is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def without_port(host: str) -> str:
    """A host without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
