"""The gate's rules. `docs/gates/coverage.md` explains each."""

from __future__ import annotations

from pytest_cockpit.api import Rule

MORE_LINES = "coverage.more-missing-lines"
MORE_BRANCHES = "coverage.more-missing-branches"
MORE_EXCLUDED = "coverage.more-excluded-lines"
NEW_FILE = "coverage.new-file"
PATCH = "coverage.patch"
BELOW_TARGET = "coverage.below-target"
NO_DATA = "coverage.no-data"
OUTSIDE_TREE = "coverage.outside-tree"
DISTURBED = "coverage.disturbed"
NEW_TEST_FAILURE = "coverage.new-test-failure"
MORE_SKIPPED = "coverage.more-skipped-tests"
NO_BASELINE = "coverage.no-baseline"
LOOSENED = "coverage.loosened-baseline"
TESTS_DID_NOT_RUN = "coverage.tests-did-not-run"
SLACK = "coverage.slack"

RULES = (
    Rule(MORE_LINES, "No file has more statements that no test executes than its baseline."),
    Rule(MORE_BRANCHES, "No file has more branches that no test takes than its baseline."),
    Rule(MORE_EXCLUDED, "No file keeps more from being counted than its baseline."),
    Rule(NEW_FILE, "A file without a bound is covered but for a declared share."),
    Rule(PATCH, "A declared share of the changed statements is executed."),
    Rule(BELOW_TARGET, "Files reach the share of lines and branches declared for them."),
    Rule(NO_DATA, "Every changed, moved or bounded file is measured, and some code is executed."),
    Rule(OUTSIDE_TREE, "The tests import the tree's modules from the tree, not from elsewhere."),
    Rule(DISTURBED, "Nothing stops or replaces the measurement while the tests run."),
    Rule(NEW_TEST_FAILURE, "No test fails that did not fail when the baseline was measured."),
    Rule(MORE_SKIPPED, "Says where more tests are skipped than at the baseline."),
    Rule(NO_BASELINE, "There is a baseline to compare with."),
    Rule(LOOSENED, "The baseline allows nothing that the base commit's did not."),
    Rule(TESTS_DID_NOT_RUN, "The tests run to their end."),
    Rule(SLACK, "Says where less is missing than the baseline allows."),
)

INIT = "`pytest --cockpit-init`"
"""The command that measures a baseline, as remedies quote it."""

TIGHTEN = "`pytest --cockpit-ratchet=tighten`"
"""The command that joins a baseline with what is measured now."""
