"""From a context to the report."""

from __future__ import annotations

from pytest_cockpit.api import Context, Evidence, Finding, Report, Severity
from pytest_cockpit.records.ledger_git import Git, Unreadable
from pytest_cockpit_gates.guard import change, reading, rules
from pytest_cockpit_gates.guard.trees import Trees


def check(context: Context) -> Report:
    """Compare the tree with its base."""
    if context.base is None:
        return _unknown("there is no commit to compare with", "commit something first")
    try:
        git, way = Git.around(context.root)
        # The base of a first commit is a tree without files.
        base = git.word(
            "rev-parse", "--verify", "-q", "--end-of-options", f"{context.base}^{{tree}}"
        )
        trees = Trees(git, context.root, way, base, context.commit)
        read = reading.read(trees, context.lane.path, context.ledger)
    except Unreadable as error:
        return _unknown(str(error), "judge in a whole clone: git fetch --unshallow")
    findings = list(change.judge(read))
    differing = len({*read.before, *read.after})
    paths = f"{differing} path{'' if differing == 1 else 's'}"
    against = f"{len(findings)} against a rule" if findings else f"nothing new in {read.lane}"
    data = {"base": context.base, "tree": context.commit, "differing": differing}
    return Report.judge(
        f"{paths} changed since {context.base[:12]}, {against}",
        # No difference is a result as well: the comparison was made.
        checked=max(differing, 1),
        findings=findings,
        evidence=(Evidence("change", data),),
    )


def _unknown(reason: str, remedy: str) -> Report:
    message = f"cannot be compared with its base: {reason}"
    finding = Finding(rules.NEW_FILE, message, severity=Severity.UNKNOWN, remedy=remedy)
    return Report.judge(message, checked=0, findings=(finding,))
