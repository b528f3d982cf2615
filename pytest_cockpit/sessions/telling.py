"""One comment on red, kept in place and up to date until the gates are open again."""

from __future__ import annotations

from pytest_cockpit.api import CockpitError
from pytest_cockpit.forge.api import Forge
from pytest_cockpit.promotion.remedies.ground import Circumstances
from pytest_cockpit.sessions import ci
from pytest_cockpit.sessions.ci import Pipeline, Variables


class Teller:
    """Tells the pull request under test, or else the configured issue."""

    def __init__(
        self, session: Circumstances, mode: str, variables: Variables, pipeline: Pipeline
    ) -> None:
        self._session = session
        self._key = f"on-red/{mode}"
        self._request = ci.pull_request(variables) if pipeline.any else None
        # A gate that somebody tries at a desk is nobody else's business.
        told = mode != "gates" or pipeline.any
        self._issue = session.settings.forge.issue if told else 0

    def red(self, text: str) -> str | None:
        """Comment on a red session; what to say of it in one line."""
        return self._tell(text, anew=True)

    def green(self, text: str) -> str | None:
        """Bring the comment on an earlier red session up to date, where there is one."""
        return self._tell(text, anew=False)

    def _tell(self, text: str, *, anew: bool) -> str | None:
        number = self._request or self._issue
        forge = self._forge() if number else None
        if forge is None:
            return None
        try:
            url = forge.comment(number, self._key, text, issue=self._request is None, anew=anew)
        except CockpitError as error:
            return f"nobody was told: {str(error).splitlines()[0]}"
        return f"told: {url}" if url else None

    def _forge(self) -> Forge | None:
        if self._session.repository is None:
            return None
        from pytest_cockpit.forge.connecting import connect

        return connect(self._session.repository, self._session.settings).forge
