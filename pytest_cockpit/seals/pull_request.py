"""Show a sealed commit on a forge: one draft pull request, and each verdict at the commit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pytest_cockpit.forge.api import Check, Forge, ForgeError, PullRequest, Request


@dataclass(frozen=True, slots=True)
class Settings:
    """What is asked to be merged, and what was said of it; `request.commit` is what was pushed."""

    request: Request
    checks: tuple[Check, ...] = ()


def seal(forge: Forge, settings: Settings, pushed: Callable[[], str | None]) -> PullRequest:
    """Open or update the pull request and show the verdicts; safe to repeat.

    Parameters
    ----------
    pushed: what the remote has as the head, asked when the forge shows another commit.

    Raises
    ------
    ForgeError: it could not be done, or somebody else's commit is in the pull request.
    """
    request = settings.request
    pull = forge.publish(request)
    # A forge may be a moment behind its own repository.
    if not pull.merged and pull.commit != request.commit and pushed() != request.commit:
        raise ForgeError(
            f"pull request #{pull.number} is at {pull.commit[:12]}, not at the sealed commit "
            f"{request.commit[:12]}: somebody pushed to {request.head}; look at it: {pull.url}"
        )
    for check in settings.checks:
        try:
            forge.show(request.commit, check)
        except ForgeError as error:
            raise ForgeError(f"pull request #{pull.number} is there, {pull.url}: {error}") from None
    return pull
