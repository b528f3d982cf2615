"""From a repository and its configuration to a forge, or to the words why there is none."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pytest_cockpit.config import Config
from pytest_cockpit.config import Forge as Settings
from pytest_cockpit.forge import addresses, tokens
from pytest_cockpit.forge.addresses import Address, Endpoint
from pytest_cockpit.forge.api import Forge, ForgeError
from pytest_cockpit.forge.patience import Patience
from pytest_cockpit.git import GitError, Repository, masked
from pytest_cockpit.records.text import one_line

_KINDS = ("github", "gitlab")


@dataclass(frozen=True, slots=True)
class Connection:
    """A forge that can be asked, or why there is none.

    Parameters
    ----------
    why: why there is no forge, in words; empty where there is one.
    demanded: whether the configuration asks for this forge by its kind, so that its absence is
        an error and not merely told.
    """

    forge: Forge | None
    why: str = ""
    demanded: bool = False

    def required(self) -> Forge | None:
        """The forge; None where there is none and none is demanded.

        Raises
        ------
        ForgeError: there is none, and the configuration demands it.
        """
        if self.forge is None and self.demanded:
            raise ForgeError(self.why)
        return self.forge


def connect(
    repository: Repository,
    config: Config,
    *,
    say: Callable[[str], None] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Connection:
    """The forge of a repository. Nothing is sent to it by this.

    Parameters
    ----------
    say: is told when something is waited for.
    environ: where tokens are looked for; the process's own variables by default.
    """
    settings, variables = config.forge, os.environ if environ is None else environ
    demanded = settings.kind in _KINDS
    if settings.kind == "none":
        return Connection(None, 'tool.cockpit.forge.kind is "none"')
    try:
        endpoint = _endpoint(repository, config, variables)
        token = tokens.find(endpoint.kind, endpoint.host, variables, repository.root)
        return Connection(_made(endpoint, token, Patience(say)), demanded=demanded)
    except (ForgeError, GitError) as error:
        return Connection(None, str(error), demanded)


def _made(endpoint: Endpoint, token: tokens.Token, patience: Patience) -> Forge:
    try:
        if endpoint.kind == "gitlab":
            from pytest_cockpit.forge.gitlab import GitLab

            return GitLab(endpoint, token, patience)
        from pytest_cockpit.forge.github import GitHub

        return GitHub(endpoint, token, patience)
    except ImportError as error:
        raise ForgeError(
            f"{endpoint.name}: pip install 'pytest-cockpit[github]' first, it brings what speaks "
            f"to forges ({one_line(str(error))})"
        ) from None


def _endpoint(repository: Repository, config: Config, environ: Mapping[str, str]) -> Endpoint:
    """Where the forge is, from the configuration and the remote."""
    settings, address = config.forge, _remote(repository, config.seal.remote)
    host = addresses.host_of(settings.url) if settings.url else address.host if address else ""
    if settings.url and not host:
        raise ForgeError(
            f"tool.cockpit.forge.url: {one_line(masked(settings.url))}: expected https://HOST/…, "
            "without credentials or a query; http:// is for this machine alone"
        )
    if not host:
        raise ForgeError(_no_remote(repository, config.seal.remote))
    kind = _kind(settings, host)
    named = settings.repository or (address.repository if address else "")
    if not named or (kind == "github" and named.count("/") != 1):
        raise ForgeError(
            f"{host}: which repository it is there cannot be told from the remote "
            f"{config.seal.remote!r}; set tool.cockpit.forge.repository"
        )
    if settings.url:
        _demand_trust(kind, host, address, environ)
    api = settings.url.rstrip("/") or addresses.api_of(kind, host)
    return Endpoint(kind, host, api, named)


def _demand_trust(
    kind: str, host: str, address: Address | None, environ: Mapping[str, str]
) -> None:
    """Let no file of the repository choose who gets the token.

    Raises
    ------
    ForgeError: the host is neither a public forge, nor the remote's, nor named by the environment.
    """
    plain = addresses.without_port(host)
    known = {f"{kind}.com", *tokens.named_hosts(kind, environ)}
    if address:
        known |= {address.host, addresses.without_port(address.host)}
    if not (addresses.is_loopback(plain) or known & {host, plain}):
        variable = "GH_HOST" if kind == "github" else "GITLAB_HOST"
        raise ForgeError(
            f"tool.cockpit.forge.url: {host} is not the host of the remote, so it gets no token; "
            f"if you trust it, set {variable}={host}"
        )


def _kind(settings: Settings, host: str) -> str:
    if settings.kind in _KINDS:
        return settings.kind
    kind = addresses.kind_of(host)
    if kind is None:
        raise ForgeError(f"{host}: no forge that is known by its name; set tool.cockpit.forge.kind")
    return kind


def _remote(repository: Repository, remote: str) -> Address | None:
    """Where the remote is pushed to, abbreviations of the user's git expanded."""
    if repository.remote_url(remote) is None:
        return None
    done = repository.run("remote", "get-url", "--push", "--", remote, check=False)
    return addresses.parse(done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n"))


def _no_remote(repository: Repository, remote: str) -> str:
    if repository.remote_url(remote) is None:
        return f"there is no remote {remote!r}"
    return f"the remote {remote!r} is on no forge"
