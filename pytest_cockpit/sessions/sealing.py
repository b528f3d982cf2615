"""What happens to a batch's commit once every gate is green: branch, remote, checkout."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from pytest_cockpit.api import CockpitError, Move, Verdict
from pytest_cockpit.config import Seal as SealSettings
from pytest_cockpit.git import Repository
from pytest_cockpit.records import ledger
from pytest_cockpit.seals import branch, checkout, push


@dataclass(frozen=True, slots=True)
class Subject:
    """What a session judges and seals.

    `gates` are the planned ones, each with the reason when it is declared not applicable.
    """

    batch_id: str
    base: str
    plan_sha256: str
    moves: tuple[Move, ...]
    gates: tuple[tuple[str, str | None], ...]


class Sealing:
    """The seal of one plan: creating its branch is the one step that publishes anything.

    Parameters
    ----------
    head: the full ref HEAD stood for when the plan was made; None when it was detached.
    """

    def __init__(
        self,
        repository: Repository,
        settings: SealSettings,
        subject: Subject,
        *,
        head: str | None,
        dry_run: bool,
        skip_push: bool,
    ) -> None:
        self.repository = repository
        self.settings = settings
        self.subject = subject
        self.head = head
        self.dry_run = dry_run
        self.branch = f"refs/heads/{settings.branch_prefix}{subject.batch_id}"
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
            return "dry run: nothing will be sealed"
        what = f"if all is green: sealed as {self._name}"
        if self.pushes:
            what += f", pushed to {self.settings.remote}"
        return what + (", checkout brought forward" if self.takes else "")

    def seal(self, commit: str) -> list[str]:
        """Create the branch, push it, bring the checkout forward; each is safe to repeat.

        Raises
        ------
        CockpitError: a step failed; what came before it stays and is finished by the next run.
        """
        branch.seal(self.repository, branch.Settings(ref=self.branch, commit=commit))
        self.sealed = True
        done = [f"{self._name} is {commit[:12]}"]
        # The checkout comes last: until it is there, the same plan is made again and finishes here.
        if self.pushes:
            done.append(self._push())
        if self.takes:
            done.append(self._take(commit))
        else:
            self._advice.append(f"take it here with: git merge --ff-only {self._name}")
        return done

    def _push(self) -> str:
        remote = self.settings.remote
        try:
            push.seal(self.repository, push.Settings(remote=remote, ref=self.branch))
        except CockpitError as error:
            raise CockpitError(
                f"{error}\nThe batch is sealed here as {self._name}, but not pushed: repair the "
                f"remote and run the same command again, or leave it at that with --cockpit-skip-pr"
            ) from None
        return f"pushed to {remote}"

    def _take(self, commit: str) -> str:
        if self.head is None:
            self._advice.append(f"take it with: git switch {self._name}")
            return "HEAD is detached, the checkout stays as it is"
        taken = checkout.take(self.repository, self.head, self.subject.base, commit)
        if not taken.done:
            return f"the checkout stays as it is: {taken.reason}"
        return f"{self.head.removeprefix('refs/heads/')} brought forward"

    def advice(self) -> list[str]:
        """What is left to a person."""
        return self._advice

    @property
    def _name(self) -> str:
        return self.branch.removeprefix("refs/heads/")


def sealed_before(sealing: Sealing, stage: Callable[[], str]) -> str | None:
    """The commit an earlier session sealed of this very plan, or None.

    Raises
    ------
    CockpitError: the branch exists and is not what this plan and its gates make: the staged
        tree on the plan's base, with a green trailer for every gate.
    """
    repository, subject = sealing.repository, sealing.subject
    commit = repository.ref(sealing.branch)
    if commit is None:
        return None
    raw = repository.run("cat-file", "commit", commit).stdout.decode("utf-8", "replace")
    header, _, message = raw.partition("\n\n")
    staged = repository.run("rev-parse", f"{stage()}^{{tree}}").stdout.decode().strip()
    lines = header.splitlines()
    heritage = [line for line in lines if line.startswith(("tree ", "parent "))]
    trailers = set(message.rstrip().rpartition("\n\n")[2].splitlines())
    wanted = {f"Batch-Id: {subject.batch_id}", f"Plan-Sha256: {subject.plan_sha256}"}
    green = all(
        any(f"Gate-{name.title()}: {verdict}" in trailers for verdict in Verdict if verdict.opens)
        for name, skip in subject.gates
        if not skip
    )
    same = heritage == [f"tree {staged}", f"parent {subject.base}"]
    if not (same and green and wanted <= trailers):
        name = sealing.branch.removeprefix("refs/heads/")
        raise CockpitError(
            f"{name}: exists, and is not this batch as it was judged; look at it, then delete it: "
            f"git branch -D {name}"
        )
    return commit


def waiting(
    repository: Repository,
    settings: SealSettings,
    place: str,
    base: str,
    sources: Collection[str],
) -> None:
    """Refuse to promote again what a sealed batch promotes that is not merged into `base` yet.

    Raises
    ------
    CockpitError: a branch of an earlier batch moves some of the same files.
    """
    places = [f"refs/heads/{settings.branch_prefix}"]
    if settings.remote:
        places.append(f"refs/remotes/{settings.remote}/{settings.branch_prefix}")
    found = repository.run("for-each-ref", f"--no-merged={base}", "--format=%(refname)", *places)
    for ref in found.stdout.decode("utf-8", "surrogateescape").splitlines():
        again = _promoted(repository, ref, place).intersection(sources)
        if again:
            name = ref.removeprefix("refs/heads/").removeprefix("refs/remotes/")
            raise CockpitError(
                f"{name}: {len(again)} of these files wait there to be merged, "
                f"{min(again)} among them; merge that branch or delete it first"
            )


def _promoted(repository: Repository, ref: str, place: str) -> set[str]:
    """Sources of the newest promotion in a branch's ledger."""
    data = repository.blob(ref, place)
    try:
        rows = ledger.rows(data or b"")
    except CockpitError:
        return set()
    moves: list[dict[str, str]] = next(
        (row["moves"] for row in reversed(rows) if row["kind"] == "promotion"), []
    )
    return {move["source"] for move in moves}
