"""What happens to a batch's commit once every gate is green: branch, checkout, remote."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_cockpit.config import Seal as SealSettings
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion.plan import Plan
from pytest_cockpit.seals import branch, checkout, push


@dataclass(frozen=True, slots=True)
class Pending:
    """A batch whose branch exists already."""

    branch: str
    commit: str


def pending(repository: Repository, settings: SealSettings, plan: Plan) -> Pending | None:
    """The seal of an earlier session of this very plan, if there is one."""
    ref = branch_ref(settings, plan)
    commit = repository.ref(ref)
    return Pending(ref, commit) if commit else None


def branch_ref(settings: SealSettings, plan: Plan) -> str:
    """The full ref a plan is sealed as."""
    return f"refs/heads/{settings.branch_prefix}{plan.header.batch_id}"


class Sealing:
    """The seal of one plan: creating its branch is the one step that publishes anything."""

    def __init__(
        self,
        repository: Repository,
        settings: SealSettings,
        plan: Plan,
        *,
        dry_run: bool,
        skip_push: bool,
    ) -> None:
        self.repository = repository
        self.settings = settings
        self.plan = plan
        self.dry_run = dry_run
        self.branch = branch_ref(settings, plan)
        self.pushes = not skip_push and repository.remote_url(settings.remote) is not None
        self.takes = settings.take == "always" or (settings.take == "auto" and not self.pushes)
        self.sealed = False
        self._advice: list[str] = []

    @staticmethod
    def recover(repository: Repository) -> list[str]:
        """Finish a checkout that a killed session had begun to bring forward."""
        taken = checkout.resume(repository)
        if taken is None:
            return []
        state = "finished" if taken.done else "left as it is"
        return [f"cockpit: the checkout of the last seal was {state}: {taken.reason}"]

    def intent(self) -> str:
        """What the seal is going to do, for the header."""
        if self.dry_run:
            return "dry run, nothing will be sealed"
        what = f"sealed as {self._name}"
        if self.pushes:
            what += f", pushed to {self.settings.remote}"
        return what + (", checkout brought forward" if self.takes else "")

    def seal(self, commit: str) -> list[str]:
        """Create the branch, push it, bring the checkout forward; each is safe to repeat.

        Raises
        ------
        CockpitError: a step failed; what came before it stays and is finished by the next run.
        """
        head = self.repository.branch()
        branch.seal(self.repository, branch.Settings(ref=self.branch, commit=commit))
        self.sealed = True
        done = [f"{self._name} is {commit[:12]}"]
        # The checkout comes last: until it is there, the same plan is made again and finishes here.
        if self.pushes:
            push.seal(self.repository, push.Settings(remote=self.settings.remote, ref=self.branch))
            done.append(f"pushed to {self.settings.remote}")
        if self.takes:
            done.append(self._take(head, commit))
        else:
            self._advice.append(f"take it here with: git merge --ff-only {self._name}")
        return done

    def _take(self, head: str | None, commit: str) -> str:
        if head is None:
            self._advice.append(f"take it with: git switch {self._name}")
            return "HEAD is detached, the checkout stays as it is"
        taken = checkout.take(self.repository, head, self.plan.header.base, commit)
        if not taken.done:
            self._advice.append(f"take it by hand with: git merge --ff-only {self._name}")
            return f"the checkout stays as it is: {taken.reason}"
        return f"{head.removeprefix('refs/heads/')} brought forward"

    def advice(self) -> list[str]:
        """What is left to a person."""
        return self._advice

    @property
    def _name(self) -> str:
        return self.branch.removeprefix("refs/heads/")
