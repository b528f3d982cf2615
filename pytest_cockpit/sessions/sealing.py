"""What happens to a batch's commit once every gate is green: branch, remote, forge, checkout."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pytest_cockpit.api import CockpitError, Move, Verdict
from pytest_cockpit.config import Config
from pytest_cockpit.config import Seal as SealSettings
from pytest_cockpit.forge.api import ForgeError, PullRequest, Request
from pytest_cockpit.forge.connecting import Connection, connect
from pytest_cockpit.git import Repository
from pytest_cockpit.records import ledger, promotions
from pytest_cockpit.seals import branch, checkout, pull_request, push
from pytest_cockpit.sessions.letters import Letter, trailers

_AGAIN = "run the same command again, or leave it at that with --cockpit-skip-pr"


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
    say: is told when a forge is waited for.
    """

    def __init__(
        self,
        repository: Repository,
        config: Config,
        subject: Subject,
        *,
        head: str | None,
        dry_run: bool,
        skip_push: bool,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.repository = repository
        self.config = config
        self.settings = config.seal
        self.subject = subject
        self.head = head
        self.dry_run = dry_run
        self.branch = f"refs/heads/{self.settings.branch_prefix}{subject.batch_id}"
        self.pushes = not skip_push and repository.remote_url(self.settings.remote) is not None
        self.takes = self.settings.take == "always" or (
            self.settings.take == "auto" and not self.pushes
        )
        self.sealed = False
        self.pull: PullRequest | None = None
        # Not the forge's word for it: that may be a moment behind.
        self.shown = ""
        self._say = say
        self._advice: list[str] = []

    @staticmethod
    def recover(repository: Repository) -> list[str]:
        """Finish a checkout that a killed session had begun to bring forward."""
        taken = checkout.resume(repository)
        if taken is None:
            return []
        state = "finished" if taken.done else "left as it is"
        return [f"cockpit: the checkout of the last seal was {state}: {taken.reason}"]

    @cached_property
    def connection(self) -> Connection:
        """The forge that the remote belongs to, or why there is none; asks nobody."""
        if self.dry_run or not self.pushes:
            return Connection(None, "nothing is pushed")
        found = connect(self.repository, self.config, say=self._say)
        if found.forge and not self._base:
            why = "HEAD is detached: set tool.cockpit.forge.base, what is it to be merged into?"
            return Connection(None, why, found.demanded)
        return found

    def intent(self) -> str:
        """What the seal is going to do, for the header."""
        if self.dry_run:
            return "dry run: nothing will be sealed"
        what = f"if all is green: sealed as {self._name}"
        if self.pushes:
            what += f", pushed to {self.settings.remote}, {self._outlook()}"
        return what + (", checkout brought forward" if self.takes else "")

    def _outlook(self) -> str:
        """What becomes of the pull request."""
        forge = self.connection.forge
        if forge is None:
            return f"no pull request ({self.connection.why})"
        draft = "draft " if self.config.forge.draft else ""
        return f"{draft}pull request on {forge.name}"

    def seal(self, commit: str, letter: Callable[[], Letter]) -> list[str]:
        """Create the branch, push it, open its pull request, bring the checkout forward.

        Each is safe to repeat.

        Parameters
        ----------
        letter: what the pull request says, made when there is going to be one.

        Raises
        ------
        CockpitError: a step failed; what came before it stays and is finished by the next run.
        """
        branch.seal(self.repository, branch.Settings(ref=self.branch, commit=commit))
        self.sealed = True
        done = [f"{self._name} is {commit[:12]}"]
        # The checkout comes last: until it is there, the same plan is made again and finishes here.
        if self.pushes:
            done += [self._push(commit), self._show(commit, letter)]
        if self.takes:
            done.append(self._take(commit))
        else:
            self._advice.append(f"take it here with: git merge --ff-only {self._name}")
        return done

    def partial(self, commit: str, letter: Callable[[], Letter]) -> list[str]:
        """Publish what a session that halted vouches for, on its branch, which is there already.

        Never raises for a remote or a forge: the session is red as it is, and the lines say what
        came of it.
        """
        if self.dry_run or not self.pushes:
            return []
        done = []
        try:
            done.append(self._push(commit))
            done.append(self._show(commit, letter))
        except CockpitError as error:
            done.append(str(error))
        return done

    def _push(self, commit: str) -> str:
        remote = self.settings.remote
        settings = push.Settings(remote=remote, ref=self.branch)
        try:
            push.seal(self.repository, settings)
        except CockpitError as error:
            there = self._there()
            if there == commit:
                return f"{remote} has it already"
            raise CockpitError(
                f"{self._overtaken(commit, there) or error}\nThe batch is sealed here as "
                f"{self._name}, but not pushed: repair the remote and {_AGAIN}"
            ) from None
        return f"pushed to {remote}"

    def _there(self) -> str | None:
        """What the remote has as this branch; None also where it cannot be asked."""
        try:
            return push.there(
                self.repository, push.Settings(remote=self.settings.remote, ref=self.branch)
            )
        except CockpitError:
            return None

    def _overtaken(self, commit: str, there: str | None) -> str | None:
        """Why the remote took no push, where somebody else's commit is the reason."""
        if there is None or self._is_earlier(there, commit):
            return None
        remote = self.settings.remote
        return (
            f"{remote} has another commit as {self._name}, {there[:12]} and not {commit[:12]}: "
            "somebody else promoted the same files, or pushed to the branch. It was not "
            f"overwritten; look at it with `git fetch {remote} {self._name}`. When it is merged, "
            "pull and delete the branch here, and the next run plans on top of it"
        )

    def _is_earlier(self, there: str, commit: str) -> bool:
        """Whether it is the same branch as it was before, as that of a burst that went on."""
        done = self.repository.run("merge-base", "--is-ancestor", there, commit, check=False)
        return done.returncode == 0

    def _show(self, commit: str, letter: Callable[[], Letter]) -> str:
        """Open or update the pull request, and show every verdict at the commit."""
        connection = self.connection
        try:
            forge = connection.required()
            if forge is None:
                return f"no pull request: {connection.why}"
            made = letter()
            settings = self.config.forge
            request = Request(
                head=self._name,
                base=self._base,
                title=made.title,
                body=made.body,
                labels=settings.labels,
                draft=settings.draft,
                commit=commit,
                rest=made.rest,
            )
            checks = made.checks(settings.context, self._name)
            self.pull = pull_request.seal(
                forge, pull_request.Settings(request, checks), self._there
            )
            self.shown = commit
        except ForgeError as error:
            raise CockpitError(
                f"{error}\nThe batch is sealed here as {self._name} and pushed, but its pull "
                f"request is not as it should be: {_AGAIN}"
            ) from None
        return self._shown(self.pull)

    def _shown(self, pull: PullRequest) -> str:
        if pull.merged:
            return f"pull request #{pull.number} is merged already: {pull.url}"
        self._advice.append(f"pull request: {pull.url}")
        into = "" if pull.base == self._base else f" into {pull.base}"
        return f"{'draft ' if pull.draft else ''}pull request #{pull.number}{into}: {pull.url}"

    def facts(self) -> dict[str, Any] | None:
        """The pull request as the session's record has it."""
        pull = self.pull
        if pull is None:
            return None
        return {"number": pull.number, "url": pull.url, "base": pull.base, "merged": pull.merged}

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

    @property
    def _base(self) -> str:
        """The branch to be merged into; empty when HEAD is detached and none is configured."""
        return self.config.forge.base or (self.head or "").removeprefix("refs/heads/")


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
    same = heritage == [f"tree {staged}", f"parent {subject.base}"]
    if not (same and bears(message, subject.batch_id, subject.plan_sha256, subject.gates)):
        name = sealing.branch.removeprefix("refs/heads/")
        raise CockpitError(
            f"{name}: exists, and is not this batch as it was judged; look at it, then delete it: "
            f"git branch -D {name}"
        )
    return commit


def bears(
    message: str, batch_id: str, plan_sha256: str, gates: Collection[tuple[str, str | None]]
) -> bool:
    """Whether a commit's trailers name this plan, and a green verdict for every planned gate."""
    said = set(trailers(message))
    return {f"Batch-Id: {batch_id}", f"Plan-Sha256: {plan_sha256}"} <= said and all(
        any(f"Gate-{name.title()}: {verdict}" in said for verdict in Verdict if verdict.opens)
        for name, skip in gates
        if not skip
    )


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
        again = _promoted(repository, ref, base, place).intersection(sources)
        if again:
            name = ref.removeprefix("refs/heads/").removeprefix("refs/remotes/")
            raise CockpitError(
                f"{name}: {len(again)} of these files wait there to be merged, "
                f"{min(again)} among them; merge that branch or delete it first"
            )


def _promoted(repository: Repository, ref: str, base: str, place: str) -> set[str]:
    """Sources of what a branch's ledger has moved beyond the base's."""
    try:
        known = {row.get("batch_id") for row in ledger.rows(repository.blob(base, place) or b"")}
        rows = ledger.rows(repository.blob(ref, place) or b"")
    except CockpitError:
        return set()
    return set(promotions.net(row for row in rows if row.get("batch_id") not in known))
