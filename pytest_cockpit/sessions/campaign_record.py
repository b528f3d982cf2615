"""Attempts of a campaign in their ledger: counted, entered, ended, and none of them taken away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from pytest_cockpit.api import Campaign, CockpitError, Verdict
from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.records import artifacts, campaigns
from pytest_cockpit.sessions import campaign_plan

_SHORT = 12


@dataclass(slots=True)
class Attempt:
    """One attempt of a campaign.

    Parameters
    ----------
    book: the ledger.
    lock: what its writers take turns by.
    facts: what each of its rows says.
    begun: whether it is on record that it began.
    """

    book: Path
    lock: Path
    facts: Mapping[str, Any]
    begun: bool = field(default=False, init=False)

    @classmethod
    def of(
        cls,
        campaign: Campaign,
        repository: Repository,
        settings: Config,
        base: str,
        subject: Mapping[str, Any] | None,
        session_id: str,
    ) -> Self:
        """The attempt that is about to begin; of a campaign that is not recorded always the first.

        Parameters
        ----------
        base: the commit it is made at.
        subject: what the gate says is judged; None where it says nothing.

        Raises
        ------
        CockpitError: the ledger cannot be read, or rows were taken away from it.
        """
        plan, judged = campaign_plan.digests(campaign, repository, base, settings, subject)
        book = campaigns.path_of(repository.root, settings.records)
        number = 1
        if campaign.recorded:
            _demand_whole(repository, base, book)
            number += campaigns.attempts(book, judged)
        facts = {
            "gate": campaign.gate,
            "mode": campaign.mode,
            "plan_sha256": plan,
            "judged_sha256": judged,
            "attempt": number,
            "session_id": session_id,
        }
        return cls(book, repository.common_dir / "cockpit" / "campaigns.lock", facts)

    @property
    def number(self) -> int:
        """The how manieth of what is judged it is."""
        number: int = self.facts["attempt"]
        return number

    def begin(self) -> None:
        """Put on record that it begins, before anything can come of it.

        Raises
        ------
        CockpitError: the ledger cannot be written.
        """
        self._append(campaigns.BEGUN)
        self.begun = True

    def end(
        self,
        phases: Iterable[str],
        verdicts: Mapping[str, str],
        timeline: Sequence[Mapping[str, str]],
        record: Mapping[str, Any],
    ) -> None:
        """Put on record what it came to; unknown where not all was done. Raises as `begin`.

        Parameters
        ----------
        phases: all of the campaign.
        verdicts, timeline: of those that were done.
        record: what the gate wants kept.
        """
        missing = set(phases) - verdicts.keys()
        parts = [*map(Verdict, verdicts.values()), *([Verdict.UNKNOWN] if missing else [])]
        self._append(
            campaigns.ENDED,
            verdict=Verdict.worst(parts).value,
            phases=dict(verdicts),
            timeline=list(timeline),
            record=dict(record),
        )

    def _append(self, kind: str, **more: Any) -> None:
        row = {"kind": kind, "at": now(), **self.facts, **more}
        campaigns.append(self.book, self.lock, row)


def now() -> str:
    """The time in UTC, ISO 8601, as the ledger has it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _demand_whole(repository: Repository, base: str, book: Path) -> None:
    """Refuse a ledger that does not go on from what commits have of it."""
    name = book.relative_to(repository.root).as_posix()
    try:
        there = book.read_bytes()
    except FileNotFoundError:
        there = b""
    except OSError as error:
        raise artifacts.os_error(book, "cannot read", error) from error
    for commit in (base, *_before_deletion(repository, base, name)):
        kept = repository.blob(commit, name) or b""
        if not there.startswith(kept):
            short = commit[:_SHORT]
            raise CockpitError(
                f"{name}: attempts that are in {short} are not in it; bring them back: "
                f"git checkout {short} -- {name}, and commit it"
            )


def _before_deletion(repository: Repository, base: str, name: str) -> list[str]:
    """The commit before the last one that removed the file, where one did."""
    options = ("--first-parent", "--no-renames", "--diff-filter=D", "--format=%P")
    done = repository.run("log", "-1", *options, base, "--", name, check=False)
    return done.stdout.decode("ascii", "replace").split()[:1]
