"""The seal of a runbook: its branch and both tags in one transaction, then the checkout."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_cockpit.api import CockpitError
from pytest_cockpit.config import Config
from pytest_cockpit.freeze import phase as freeze
from pytest_cockpit.freeze import tagging
from pytest_cockpit.freeze.verify import Verification, unpublished
from pytest_cockpit.git import GitError, Repository
from pytest_cockpit.seals import checkout, tag
from pytest_cockpit.sessions.runbook import chain
from pytest_cockpit.sessions.runbook.chain import Done, Identity
from pytest_cockpit.sessions.runbook.phases import BASELINE, PRODUCTION


@dataclass(frozen=True, slots=True)
class Sealed:
    """What the seal has published, in words, and what is left to a person."""

    branch: str
    lines: Sequence[str]
    advice: Sequence[str]


def tagged(identity: Identity, done: Sequence[Done]) -> dict[str, str]:
    """The commits that the tags are to name, by tag, as far as the phases came."""
    commits = {one.phase: one.commit for one in done}
    tags = {BASELINE: identity.baseline_tag, PRODUCTION: identity.tag}
    return {name: commits[phase] for phase, name in tags.items() if phase in commits}


def demand_free(repository: Repository, identity: Identity, done: Sequence[Done]) -> None:
    """Refuse tags that cannot be made, unless they are those of this very runbook.

    Raises
    ------
    CockpitError: a tag is no name, or exists.
    """
    own = tagged(identity, done)
    for name in (identity.baseline_tag, identity.tag):
        if name not in own or _commit(repository, tag.ref_of(name)) != own[name]:
            tag.demand_free(repository, name)


def seal(
    repository: Repository, settings: Config, identity: Identity, done: Sequence[Done]
) -> Sealed:
    """Publish the branch and the tags, and bring the checkout forward. Each is safe to repeat.

    Raises
    ------
    CockpitError: something else has one of their names, a freeze is not what it says, a tag cannot
        be signed, or the checkout cannot be written.
    """
    demand_free(repository, identity, done)
    name = f"{settings.seal.branch_prefix}runbook-{identity.runbook_id}"
    branch, commit = f"refs/heads/{name}", done[-1].commit
    _publish(repository, {branch: commit, **_tags(repository, settings, identity, done)})
    tags = list(tagged(identity, done))
    taken, advice = _take(repository, settings, identity.base, commit, name)
    if repository.remote_url(settings.seal.remote) is not None:
        pushed = shlex.join([settings.seal.remote, name, *tags])
        advice.append(f"publish it with: git push --atomic {pushed}")
    # From here on there is nothing left to go on with.
    repository.run("update-ref", "-d", chain.REF, commit, finishes=True)
    return Sealed(
        branch, [f"{name} is {commit[:12]}", f"tags {' and '.join(tags)}", *taken], advice
    )


def _tags(
    repository: Repository, settings: Config, identity: Identity, done: Sequence[Done]
) -> dict[str, str]:
    """The tags' objects by ref: those that are there, or new ones."""
    facts = {one.commit: one.facts for one in done}
    found = {}
    for name, commit in tagged(identity, done).items():
        wanted = repository, settings, name, commit, freeze.message(facts[commit])
        oid = tagging.there(*wanted) or tagging.made(*wanted)
        _demand_sound(unpublished(repository, settings, name, oid, commit))
        found[tag.ref_of(name)] = oid
    return found


def _demand_sound(found: Verification) -> None:
    """Publish no freeze that would be found broken; it may be of an earlier session."""
    for check in found.checks:
        if not check.verdict.opens:
            raise CockpitError(
                f"{found.name}: {check.name}: {check.verdict}: {check.summary}; nothing was "
                "published: leave out --cockpit-resume to begin anew"
            )


def _publish(repository: Repository, wanted: Mapping[str, str]) -> None:
    """Create all of these refs or none of them; those that are there already are done.

    Raises
    ------
    GitError: one of them names something else, which is never moved, or git refused.
    """
    there = {ref: repository.ref(ref) for ref in wanted}
    for ref, oid in there.items():
        if oid not in (None, wanted[ref]):
            raise GitError(f"{ref}: exists and is never moved; rename or delete it and run again")
    missing = [(ref, oid, "0" * len(oid)) for ref, oid in wanted.items() if there[ref] is None]
    repository.update_refs(missing, "cockpit: seal")


def _take(
    repository: Repository, settings: Config, base: str, commit: str, name: str
) -> tuple[list[str], list[str]]:
    """Bring the checkout forward; what came of it, and what is left to a person."""
    if settings.seal.take == "never":
        return [], [f"take it here with: git merge --ff-only {name}"]
    head = repository.branch()
    if head is None:
        return ["HEAD is detached, the checkout stays as it is"], [
            f"take it with: git switch {name}"
        ]
    short = head.removeprefix("refs/heads/")
    if repository.ref(head) == commit:
        return [f"{short} is there already"], []
    taken = checkout.take(repository, head, base, commit)
    if not taken.done:
        return [f"the checkout stays as it is: {taken.reason}"], [
            f"then take it here with: git merge --ff-only {name}"
        ]
    return [f"{short} brought forward"], []


def _commit(repository: Repository, ref: str) -> str:
    done = repository.run("rev-parse", "--verify", "-q", f"{ref}^{{commit}}", check=False)
    return done.stdout.decode().strip()
