"""GitHub's REST API through githubkit: typed requests, answers read with suspicion."""

from __future__ import annotations

import functools
from typing import Any

import httpx
from githubkit import BaseAuthStrategy, GitHub, GitHubCore

from pytest_cockpit import __version__
from pytest_cockpit.forge import reading
from pytest_cockpit.forge.addresses import Endpoint, api_of
from pytest_cockpit.forge.api import ForgeError
from pytest_cockpit.forge.asking import Asker
from pytest_cockpit.forge.patience import Patience
from pytest_cockpit.forge.tokens import Token
from pytest_cockpit.forge.wire import TIMEOUT, Auth, Unknown, Wire

# What servers of one's own understand, for as long as any of them is supported.
_OLDEST_VERSION = "2022-11-28"


class _Strategy(BaseAuthStrategy):
    """Hands the token on without ever holding it as plain text."""

    def __init__(self, token: Token) -> None:
        self._auth = Auth(token)

    def get_auth_flow(self, github: GitHubCore[Any]) -> httpx.Auth:
        return self._auth


class Client(Asker):
    """One repository on one GitHub."""

    def __init__(self, endpoint: Endpoint, token: Token, patience: Patience) -> None:
        super().__init__(Wire(endpoint, token), patience)
        self.owner, _, self.repo = endpoint.repository.partition("/")
        # Its parts refer to the whole weakly.
        self._kit = GitHub(
            _Strategy(token),
            base_url=endpoint.api,
            user_agent=f"pytest-cockpit/{__version__}",
            timeout=TIMEOUT,
            trust_env=self.wire.trust_env,
            ssl_verify=httpx.create_ssl_context(trust_env=self.wire.trust_env),
            event_hooks={
                "request": [self._on_request, self.wire.on_request],
                "response": [self.wire.on_response],
            },
            # A verdict or a list that is not of now would be a false one.
            http_cache=False,
            auto_retry=False,
        )
        self.rest = self._kit.rest

    def _on_request(self, request: httpx.Request) -> None:
        if self.endpoint.api != api_of("github", "github.com"):
            request.headers["X-GitHub-Api-Version"] = _OLDEST_VERSION

    @functools.cached_property
    def login(self) -> str | None:
        """Who the token is; None where it is an application's, which may not ask."""
        try:
            return self.ask(
                "who the token is",
                self.rest.users.get_authenticated,
                lambda data: reading.string(data, "login"),
            )
        except Unknown:
            raise
        except ForgeError:
            return None
