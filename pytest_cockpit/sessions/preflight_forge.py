"""What a first promotion needs of the forge: labels, rights and a branch policy that holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property, partial

from pytest_cockpit.forge.api import Forge, ForgeError, Policy
from pytest_cockpit.forge.connecting import Connection, connect
from pytest_cockpit.items import Outcome
from pytest_cockpit.sessions.examining import Check, Scene, failed, passed, skipped, unknown, warned

EXEMPTING = ("allow:coverage-drop", "allow:candidate-additions")
"""Labels that waivers may be bound to, for emergencies."""

_ASK = "give the session a token that may see it, or look at the settings of the repository"


class Rules:
    """Checks of the forge; everything is asked at most once."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.forge_settings = scene.settings.forge

    def checks(self) -> Iterator[Check]:
        """All of them."""
        yield Check("forge/connection", self._connection)
        yield Check("forge/push", partial(self._asked, self._rights))
        yield Check("forge/labels", partial(self._asked, self._labels))
        yield Check("forge/comments", self._comments)
        for name, ask in (
            ("policy/checks", _checks),
            ("policy/up-to-date", _up_to_date),
            ("policy/direct-pushes", _direct),
            ("policy/force-pushes", _forced),
        ):
            yield Check(name, partial(self._asked, partial(self._policy, ask)))

    @cached_property
    def connection(self) -> Connection:
        """The forge, or why there is none. Nothing is sent by this."""
        return connect(self.scene.repository, self.scene.settings)

    @cached_property
    def policy(self) -> Policy | ForgeError | None:
        """What must hold before something is merged; a refusal is asked for once, too."""
        forge = self.connection.forge
        try:
            return None if forge is None else forge.policy(self.branch)
        except ForgeError as error:
            return error

    @cached_property
    def branch(self) -> str:
        """The branch that batches are merged into; empty where that cannot be told."""
        head = self.scene.repository.branch() or ""
        return self.forge_settings.base or head.removeprefix("refs/heads/")

    def _absent(self) -> str | None:
        """Why there is nothing to ask at all."""
        remote = self.scene.settings.seal.remote
        if self.forge_settings.kind == "none":
            return 'forge.kind is "none": no pull requests'
        if not remote or self.scene.repository.remote_url(remote) is None:
            return f"no remote {remote!r} is configured, so there is no forge"
        return None

    def _connection(self) -> Outcome:
        absent = self._absent()
        if absent is not None:
            return skipped(absent)
        if self.connection.forge is None:
            return unknown(self.connection.why, 'without pull requests: set forge.kind to "none"')
        return passed(self.connection.forge.name)

    def _asked(self, ask: Callable[[Forge], Outcome]) -> Outcome:
        absent = self._absent()
        if absent is not None:
            return skipped(absent)
        if self.connection.forge is None:
            return unknown("there is no forge to ask", "")
        return ask(self.connection.forge)

    def _rights(self, forge: Forge) -> Outcome:
        may = forge.may_push()
        if may is None:
            return unknown(f"{forge.name} does not say whether the token may push", _ASK)
        if not may:
            return failed(
                f"the token may not push to {forge.name}", "use one that may write contents"
            )
        return passed("the token may push branches")

    def _labels(self, forge: Forge) -> Outcome:
        wanted = [*self.forge_settings.labels, *EXEMPTING]
        known = forge.labels()
        missing = [label for label in dict.fromkeys(wanted) if label not in known]
        if missing:
            made = "; ".join(f"gh label create {label!r}" for label in missing)
            return failed(f"{forge.name} has no label {', '.join(missing)}", made)
        return passed(", ".join(dict.fromkeys(wanted)))

    def _policy(self, judge: Callable[[Policy, str, str], Outcome], forge: Forge) -> Outcome:
        if not self.branch:
            return unknown("HEAD is detached", "set forge.base to the branch to be merged into")
        if isinstance(self.policy, ForgeError):
            raise self.policy
        if self.policy is None:
            return unknown(f"{forge.name} does not show the policy of {self.branch}", _ASK)
        return judge(self.policy, self.branch, self.forge_settings.context)

    def _comments(self) -> Outcome:
        return skipped(
            self._absent()
            or "no forge tells who may comment: the first pull request will, and nothing is "
            "written for a trial"
        )


def _checks(policy: Policy, branch: str, context: str) -> Outcome:
    # A job of a reusable workflow is shown as `caller / job`.
    begins = (f"{context}/", f"{context} /")
    ours = [name for name in policy.checks if name == context or name.startswith(begins)]
    if not ours:
        found = ", ".join(policy.checks) or "none"
        return failed(
            f"{branch} can be merged into without a check of ours (required: {found})",
            f"require the checks whose names begin with {context!r}",
        )
    return passed(f"required: {', '.join(ours)}")


def _up_to_date(policy: Policy, branch: str, context: str) -> Outcome:
    if not policy.up_to_date:
        return warned(
            f"checks of {branch} may be of an older base",
            "require branches to be up to date, or use a merge queue",
        )
    return passed("checks are of the newest base")


def _direct(policy: Policy, branch: str, context: str) -> Outcome:
    if policy.pushes:
        return failed(f"{branch} can be pushed to directly", "require pull requests")
    return passed("changes come by pull request alone")


def _forced(policy: Policy, branch: str, context: str) -> Outcome:
    if policy.force_pushes:
        return failed(f"the history of {branch} can be rewritten", "forbid force pushes")
    return passed("the history cannot be rewritten")
