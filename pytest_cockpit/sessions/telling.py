"""One comment on red, kept in place and up to date until the gates are open again."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_cockpit.api import CockpitError
from pytest_cockpit.promotion.remedies.ground import Circumstances
from pytest_cockpit.sessions import ci
from pytest_cockpit.sessions.ci import Pipeline, Variables

_Place = tuple[int, bool]
"""A number on the forge, and whether it is that of an issue."""


class Teller:
    """Tells the pull request under test, or the session's own, or else the configured issue."""

    def __init__(
        self,
        session: Circumstances,
        mode: str,
        *,
        variables: Variables,
        pipeline: Pipeline,
        own: int | None,
    ) -> None:
        self._session = session
        self._key = f"on-red/{mode}"
        tested = ci.pull_request(variables) if pipeline.any else None
        # A gate that somebody tries at a desk is nobody else's business.
        issue = session.settings.forge.issue if mode != "gates" or pipeline.any else 0
        self._places: list[_Place] = [
            (number, is_issue)
            for number, is_issue in ((tested, False), (own, False), (issue, True))
            if number
        ]

    def red(self, text: str) -> list[str]:
        """Comment on a red session, in the first place there is; what to say of it."""
        return self._tell(self._places[:1], text, anew=True)

    def green(self, text: str) -> list[str]:
        """Bring comments on earlier red sessions up to date, wherever there are any."""
        return self._tell(self._places, text, anew=False)

    def _tell(self, places: Sequence[_Place], text: str, *, anew: bool) -> list[str]:
        if not places or self._session.repository is None:
            return []
        from pytest_cockpit.forge.connecting import connect

        connection = connect(self._session.repository, self._session.settings)
        if connection.forge is None:
            return [f"nobody was told: {connection.why}"] if anew else []
        told = []
        for number, issue in places:
            try:
                url = connection.forge.comment(number, self._key, text, issue=issue, anew=anew)
            except CockpitError as error:
                told.append(f"nobody was told: {str(error).splitlines()[0]}")
            else:
                told += [f"told: {url}"] if url else []
        return told
