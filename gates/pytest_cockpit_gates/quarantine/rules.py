"""The rules of this gate."""

from __future__ import annotations

from pytest_cockpit.api import Rule

NEW = "quarantine.new-test"
EXPIRED = "quarantine.expired"
PASSES = "quarantine.passes"
MALFORMED = "quarantine.malformed-marker"
LOST = "quarantine.not-collected"
NOT_RUN = "quarantine.not-run"
LOOSENED = "quarantine.loosened-baseline"
SLACK = "quarantine.baseline-slack"

RULES = (
    Rule(NEW, "A test is in quarantine that the baseline does not know there."),
    Rule(EXPIRED, "A test is in quarantine after its last day."),
    Rule(PASSES, "A test in quarantine passes: its marker is to be removed."),
    Rule(MALFORMED, "A marker lacks its issue, owner or last day, or has a wrong one."),
    Rule(LOST, "A file that names the marker could not be collected."),
    Rule(NOT_RUN, "A test in quarantine was not run to its end."),
    Rule(LOOSENED, "The baseline permits a test that it did not permit at the base commit."),
    Rule(SLACK, "The baseline permits a test that is no longer in quarantine."),
)
