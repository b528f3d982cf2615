"""GitHub's REST API through githubkit: typed requests, answers read with suspicion."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import httpx
from githubkit import BaseAuthStrategy, GitHub, GitHubCore, Response

from pytest_cockpit import __version__
from pytest_cockpit.forge import reading
from pytest_cockpit.forge.addresses import Endpoint
from pytest_cockpit.forge.api import ForgeError
from pytest_cockpit.forge.patience import Patience, Trouble
from pytest_cockpit.forge.tokens import Token
from pytest_cockpit.forge.wire import TIMEOUT, Auth, Unknown, Wire, asked

PAGE = 100
_PAGES = 100
# What servers of one's own understand, for as long as any of them is supported.
_OLDEST_VERSION = "2022-11-28"

Answer = Response[Any, Any]
T = TypeVar("T")


class _Strategy(BaseAuthStrategy):
    """Hands the token on without ever holding it as plain text."""

    def __init__(self, token: Token) -> None:
        self._auth = Auth(token)

    def get_auth_flow(self, github: GitHubCore[Any]) -> httpx.Auth:
        return self._auth


class Client:
    """One repository on one GitHub."""

    def __init__(self, endpoint: Endpoint, token: Token, patience: Patience) -> None:
        self.endpoint = endpoint
        self.wire = Wire(endpoint, token)
        self.patience = patience
        self.owner, _, self.repo = endpoint.repository.partition("/")
        self._kit = GitHub(
            _Strategy(token),
            base_url=endpoint.api,
            user_agent=f"pytest-cockpit/{__version__}",
            timeout=TIMEOUT,
            trust_env=self.wire.trust_env,
            ssl_verify=httpx.create_ssl_context(trust_env=self.wire.trust_env),
            event_hooks={"request": [self._on_request], "response": [self.wire.on_response]},
            # A verdict or a list that is not of now would be a false one.
            http_cache=False,
            auto_retry=False,
        )

    @property
    def rest(self) -> Any:
        """The typed operations; the type of what they answer is not relied on."""
        return self._kit.rest

    @property
    def name(self) -> str:
        """How to call it, to people."""
        return self.endpoint.name

    def _on_request(self, request: httpx.Request) -> None:
        if not self.endpoint.api.startswith(("https://api.github.com", "https://api.")):
            request.headers["X-GitHub-Api-Version"] = _OLDEST_VERSION

    def ask(
        self,
        what: str,
        call: Callable[[], Answer],
        read: Callable[[Any], T],
        look: Callable[[], T | None] | None = None,
    ) -> T:
        """What `read` finds in the answer to `call`; `look` as in `Patience.ask`.

        Raises
        ------
        ForgeError: it was refused, or could not be had for too long.
        """

        def once() -> T:
            answer = asked(self.wire, call)
            try:
                return read(reading.parsed(answer.raw_response.content))
            except reading.Unreadable as error:
                # It took effect or not; both are found out by looking, or by asking again.
                raise Trouble(str(error)) from None

        return self.patience.ask(f"{self.name}: {what}", once, look)

    def rows(
        self, what: str, call: Callable[[int], Answer], key: str | None = None
    ) -> list[dict[str, Any]]:
        """All rows of a list, page by page; below `key` where the answer is an object."""
        found: list[dict[str, Any]] = []
        for page in range(1, _PAGES + 1):
            rows = self.ask(
                what,
                functools.partial(call, page),
                lambda data: reading.rows(data[key] if key and key in data else data, what),
            )
            found += rows
            if len(rows) < PAGE:
                return found
        raise ForgeError(f"{self.name}: {what}: more than {_PAGES * PAGE} of them")

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
