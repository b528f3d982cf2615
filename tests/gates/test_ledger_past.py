"""What the ledger's gate finds in a history of plain data, word for word."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit.records import ledger, ledger_merge
from pytest_cockpit.records.ledger_content import blob_id
from pytest_cockpit.records.ledger_git import Blob, Unreadable
from pytest_cockpit.records.text import canonical_line, sha256
from pytest_cockpit_gates.ledger import published
from pytest_cockpit_gates.ledger.held import Held
from pytest_cockpit_gates.ledger.history import (
    Comparison,
    Past,
    Walk,
    extends,
    unreadable,
    walk,
)

LEDGER, OLD = "s/l.ndjson", "l.ndjson"
HERE = "l.ndjson of this tree"


def name(letter: str) -> str:
    """The id of a commit that is called by a letter."""
    return letter * 40


class Repository:
    """What git says of commits: by letter, the parents and the ledger there.

    `lost` are commits whose ledger only their trees tell of.
    """

    def __init__(self, lost: str = "", /, **commits: tuple[str, bytes | None]) -> None:
        self.commits = {name(letter): commit for letter, commit in commits.items()}
        self.lost = {name(letter) for letter in lost}
        self.cut: set[str] = set()
        self.refs: dict[str, tuple[str, str] | Unreadable] = {}
        self.reflogs: dict[str, str] = {}
        self.gone: set[bytes] = set()
        self.asked: list[tuple[Any, ...]] = []

    def parents(self, tips, seen=()):
        self.asked.append(("parents", tips, seen))
        hidden = self._reached(seen, {})
        return self._reached(tips, hidden)

    def _reached(self, tips, hidden):
        found: dict[str, tuple[str, ...]] = {}
        todo = list(tips)
        while todo:
            one = todo.pop(0)
            if one not in found and one not in hidden:
                found[one] = tuple(map(name, self.commits[one][0]))
                todo += found[one]
        return found

    def present(self, commits):
        return [one for one in commits if one in self.commits]

    def boundary(self):
        return self.cut

    def blobs(self, commits, paths):
        self.asked.append(("blobs", commits, paths))
        return {one: None if one in self.lost else self._blob(one) for one in commits}

    def entry(self, commit, paths):
        self.asked.append(("entry", commit, paths))
        return self._blob(commit)

    def _blob(self, commit):
        content = self.commits[commit][1]
        return None if content is None else blob(content)

    def read(self, oid):
        contents = [content for _, content in self.commits.values() if content is not None]
        [content] = {content for content in contents if blob(content).oid == oid}
        if content in self.gone:
            raise Unreadable("a blob is missing")
        self.asked.append(("read", content))
        return content

    def ref(self, ref):
        found = self.refs.get(ref)
        if isinstance(found, Unreadable):
            raise found
        return found

    def values(self, ref):
        return [name(letter) for letter in self.reflogs[ref]]


def blob(content: bytes) -> Blob:
    return Blob(blob_id(content, 40), len(content))


def past(git, tips="", merging="", since=None, seen=""):
    return Past(
        git,
        (LEDGER, OLD),
        tuple(map(name, tips)),
        tuple(map(name, merging)),
        since and name(since),
        tuple(map(name, seen)),
    )


def walked(git, data: bytes, *tips: str, **more: str) -> Walk:
    return walk(past(git, *tips, **more), Held(memoryview(data)), HERE)


def rewritten(parent, line, commit=None):
    where = f"in commit {name(commit)[:12]} it " if commit else ""
    then = (
        "; once reviewed, set since to the commit that does"
        if commit
        else ", then run again what added rows since"
    )
    return Finding(
        "ledger.rewritten",
        f"{where}differs from commit {name(parent)[:12]}, whose rows it must begin with",
        path=HERE,
        line=line,
        remedy=f"take the rows back: git checkout {name(parent)[:12]} -- {HERE}{then}",
        evidence={"commit": commit and name(commit), "parent": name(parent)},
    )


def diverged(parent, line, commit=None):
    where = f"in commit {name(commit)[:12]} it " if commit else ""
    return Finding(
        "ledger.diverged",
        f"{where}differs from commit {name(parent)[:12]}, one of the sides that were merged",
        path=HERE,
        line=line,
        remedy="merge the two anew, and before the commit: cockpit ledger merge",
        evidence={"commit": commit and name(commit), "parent": name(parent)},
    )


def unsaid(reason, path=HERE, rule="ledger.rewritten"):
    return Finding(
        rule,
        f"cannot be compared with git's history: {reason}",
        severity=Severity.UNKNOWN,
        path=path,
        remedy="judge in a whole clone: git fetch --unshallow",
    )


def torn_tail(torn: bytes, **lie: Any) -> bytes:
    row = {"kind": "torn-tail", "sha256": sha256(torn), "length": len(torn), **lie}
    return canonical_line(row)


def test_git_could_not_say():
    assert unreadable("why", "p") == unsaid("why", "p")
    assert unreadable("why", "p", "r") == unsaid("why", "p", "r")


def test_a_ledger_that_only_grows_is_good():
    git = Repository(a=("", None), b=("a", b"1\n"), c=("b", b"1\n2\n"), d=("b", b"1\n"))
    found = walked(git, b"1\n2\n3\n", "c", "d")
    assert found == Walk([], tuple(map(name, "cdba")))
    assert git.asked[0] == ("parents", (name("c"), name("d")), [])
    assert git.asked[1] == ("blobs", [name(one) for one in "cdba"], (LEDGER, OLD))
    assert not [asked for asked in git.asked if asked[0] == "read"]


def test_every_commit_that_is_compared_is_asked_for_once():
    git = Repository(a=("", b"1\n"), b=("a", b"1\n"), c=("a", b"1\n"))
    assert walked(git, b"1\n", "b", "c", seen="a") == Walk([], (name("b"), name("c")))
    assert git.asked == [
        ("parents", (name("b"), name("c")), [name("a")]),
        ("blobs", [name("b"), name("c"), name("a")], (LEDGER, OLD)),
    ]


def test_the_judged_ledger_begins_with_that_of_every_tip():
    git = Repository(a=("", None), b=("a", b"1\n2\n"), c=("a", b"1\n3\n4\n"))
    found = walked(git, b"1\n3\n5\n", "b", "c")
    assert found.findings == [rewritten("b", 2), diverged("c", 3)]
    git = Repository(a=("", b"1\n"), b=("a", b"1\n2\n"))
    assert walked(git, b"1\n", "b").findings == [rewritten("b", 2)]


def test_a_tip_whose_ledger_is_missing_is_looked_up():
    git = Repository("b", b=("", b"1\n2\n"), c=("", b"1\n"))
    assert walked(git, b"1\n", "cb").findings == [rewritten("b", 2)]
    assert [asked for asked in git.asked if asked[0] == "entry"] == [
        ("entry", name("b"), (LEDGER, OLD))
    ]


def test_a_tail_that_was_moved_aside_is_no_difference():
    moved = b"1\n" + torn_tail(b"torn")
    git = Repository(a=("", b"1\ntorn"), b=("a", b"9\n"))
    assert walked(git, moved, "a").findings == []
    assert walked(git, moved, "ab").findings == [rewritten("b", 1), rewritten("a", 1, "b")]
    git = Repository(a=("", b"1\ntorn"), b=("a", moved))
    assert walked(git, moved + b"2\n", "b").findings == []


def test_every_commit_begins_with_its_parents():
    git = Repository(a=("", b"1\n2\n"), b=("a", b"1\n3\n"), c=("b", b"1\n3\n4\n"))
    assert walked(git, b"1\n3\n4\n", "c").findings == [rewritten("a", 2, "b")]


def test_every_side_of_a_merge_is_kept():
    git = Repository(a=("", b"1\n"), b=("a", b"1\n2\n"), c=("a", b"1\n3\n"), d=("bc", b"1\n2\n4\n"))
    assert walked(git, b"1\n2\n4\n", "d").findings == [diverged("c", 2, "d")]


def test_a_side_may_be_merged_behind_the_other():
    start = ledger.extend(b"", [{"kind": "start"}])
    ours, theirs = (ledger.extend(start, [{"kind": kind}]) for kind in ("ours", "theirs"))
    both = ledger_merge.merged(ours, theirs)
    sides = {"a": ("", start), "b": ("a", ours), "c": ("a", theirs)}
    merge = Repository(**sides, d=("bc", both))
    assert walked(merge, both, "d").findings == []
    # Behind a base that is older than the merge, and while the merge is under way.
    assert walked(merge, both, "cd").findings == []
    assert walked(Repository(**sides), both, "b", "c").findings == []
    assert walked(Repository(**sides), both, "c", "b").findings == []
    # A commit of one parent, and a tree on top of one commit, go on from what is there.
    assert walked(Repository(**sides, d=("c", both)), both, "d").findings == [
        rewritten("c", 2, "d")
    ]
    assert walked(Repository(**sides), both, "c").findings == [rewritten("c", 2)]


def test_the_same_ledgers_are_compared_for_commits_with_one_parent_and_for_merges():
    start = ledger.extend(b"", [{"kind": "start"}])
    ours, theirs = (ledger.extend(start, [{"kind": kind}]) for kind in ("ours", "theirs"))
    both = ledger_merge.merged(ours, theirs)
    sides = {"a": ("", start), "b": ("a", ours), "c": ("a", theirs), "f": ("a", theirs)}
    git = Repository(**sides, d=("bc", both), e=("f", both))
    assert walked(git, both, "de").findings == [rewritten("f", 2, "e")]


def test_a_commit_is_told_of_once():
    git = Repository(a=("", b"1\n"), b=("a", b"2\n"), c=("b", b"3\n"), d=("b", b"4\n"))
    found = walked(git, b"2\n", "c", "d").findings
    assert found == [
        rewritten("c", 1),
        diverged("d", 1),
        rewritten("b", 1, "c"),
        rewritten("a", 1, "b"),
    ]
    git = Repository(a=("", b"1\n"), b=("a", b"2\n"))
    assert walked(git, b"3\n", "ba").findings == [rewritten("b", 1), rewritten("a", 1)]


def compared(git, data: bytes, lost="", **edges: str):
    """The findings about edges, and what was read for them."""
    blobs = git.blobs(list(git.commits), ())
    blobs |= {name(letter): None for letter in lost}
    comparison = Comparison(past(git), Held(memoryview(data)), HERE, blobs)
    parents = {name(child): tuple(map(name, above)) for child, above in edges.items()}
    git.asked.clear()
    return list(comparison.edges(parents))


def test_a_ledger_is_not_taken_away():
    git = Repository(a=("", b"1\n"), b=("a", None), c=("b", None))
    assert compared(git, b"", b="a", c="b") == [rewritten("a", 1, "b")]
    assert git.asked == [
        ("entry", name("b"), (LEDGER, OLD)),
    ]


def test_a_missing_blob_is_not_taken_for_no_ledger():
    git = Repository(a=("", b"1\n"), b=("a", b"1\n2\n"), c=("b", b"3\n"))
    assert compared(git, b"1\n2\n", lost="b", b="a", c="b") == [rewritten("b", 1, "c")]
    git = Repository(a=("", b"1\n"), b=("a", b"2\n"))
    assert compared(git, b"", lost="a", b="a") == [rewritten("a", 1, "b")]


def test_a_ledger_that_is_begun_is_good():
    git = Repository(a=("", None), b=("a", b"1\n"))
    assert compared(git, b"", b="a") == []
    assert git.asked == [("entry", name("a"), (LEDGER, OLD))]


@pytest.mark.parametrize(
    ("held", "old", "child", "line"),
    [
        (b"1\n2\n3\n4\n", b"1\n2\n3\n", b"1\n2\n", 3),
        (b"1\n2\n3\n", b"1\n2\n3\n", b"1\n2", 2),
        (b"1\n2\n3\n", b"1\n2\n", b"1\n2\n3\n", None),
        (b"1\n2\n", b"8\n", b"1\n2\n", 1),
        (b"1\n2\n", b"1\n2\n", b"8\n2\n3\n4\n", 1),
        (b"1\n", b"8\n", b"8\n9\n", None),
        (b"1\n", b"8\n9\n", b"8\n", 2),
        (b"1\n", b"8\ntorn", b"8\n" + torn_tail(b"torn"), None),
        (b"1\n", b"8\n9", b"8\n9\n7", None),
        (b"1\n", b"8\n9\n7", b"8\n9", 2),
        (b"1\n", b"8\n5\n9", b"8\n5", 2),
        (b"1\n", b"8\n5\n9\n7", b"8\n5", 2),
        (b"1\n", b"8\n5", b"8\n6\n7\n", 2),
        (b"1\n", b"8\n5\n6\n", b"8\n5\n7\n", 3),
        (b"1\n", b"8 8\n5\n", b"8 8\n6\n", 2),
    ],
)
def test_the_first_line_that_differs_is_told(held, old, child, line):
    git = Repository(a=("", old), b=("a", child))
    assert compared(git, held, b="a") == ([] if line is None else [rewritten("a", line, "b")])


def test_two_blobs_are_compared_once():
    git = Repository(a=("", b"1\n2\n"), b=("a", b"1\n3\n"), c=("b", b"1\n2\n"), d=("c", b"1\n3\n"))
    assert compared(git, b"", b="a", d="c") == [rewritten("a", 2, "b"), rewritten("c", 2, "d")]
    assert git.asked == [("read", b"1\n2\n"), ("read", b"1\n3\n")]


def test_twenty_edges_are_told():
    letters = "abcdefghijklmnopqrstuvwxyz"
    commits = {
        letter: (letters[at - 1] if at else "", f"{at}\n".encode())
        for at, letter in enumerate(letters)
    }
    edges = {letter: above for letter, (above, _) in commits.items() if above}
    assert compared(Repository(**commits), b"", **edges) == [
        rewritten(letters[at], 1, letters[at + 1]) for at in range(20)
    ]


def test_the_past_of_a_known_commit_is_not_looked_at():
    git = Repository(a=("", b"1\n"), b=("a", b"2\n"), c=("b", b"2\n3\n"))
    assert walked(git, b"2\n3\n", "c").findings == [rewritten("a", 1, "b")]
    assert walked(git, b"2\n3\n", "c", since="b") == Walk([], (name("c"),))
    assert walked(git, b"2\n3\n", "c", seen="bf") == Walk([], (name("c"),))
    git.asked.clear()
    assert walked(git, b"2\n3\n", "c", since="a", seen="b").commits == (name("c"),)
    assert git.asked[0] == ("parents", (name("c"),), [name("b"), name("a")])


def test_since_is_a_commit_of_the_repository():
    git = Repository(a=("", b"1\n"))
    assert walked(git, b"1\n", "a", since="f") == Walk(
        [unsaid("since is ffffffffffff, which is no commit of this repository")]
    )


def test_a_shallow_clone_cannot_say():
    git = Repository(a=("", b"1\n"))
    git.cut = {name("b")}
    assert walked(git, b"1\n", "a").findings == []
    git.cut = {name("a"), name("b")}
    assert walked(git, b"1\n", "a") == Walk([unsaid("this clone is shallow")], (name("a"),))


def test_what_git_cannot_read_is_told():
    git = Repository(a=("", b"1\n"), b=("a", b"2\n"))
    git.gone = {b"1\n"}
    assert walked(git, b"2\n", "b") == Walk([unsaid("a blob is missing")], (name("b"), name("a")))


# One ledger and another


def test_a_ledger_extends_what_it_begins_with():
    torn = b"x" * 100
    for _ in range(3):
        torn = torn[:1] * len(torn_tail(torn))
    contents: dict[str, bytes | None] = {
        "a": b"1\n",
        "b": b"1\n2\n",
        "c": b"3\n2\n",
        "d": b"3\n",
        "e": b"1\n" + torn,
        "f": b"1\n" + torn_tail(torn),
        "n": None,
    }
    git: Any = Repository(**{letter: ("", content) for letter, content in contents.items()})
    assert git._blob(name("e")).size == git._blob(name("f")).size
    for pair, expected in (
        ("an", True),
        ("nn", True),
        ("na", False),
        ("aa", True),
        ("ba", True),
        ("ab", False),
        ("ca", False),
        ("ad", False),
        ("fe", True),
        ("ef", False),
    ):
        after, before = (git._blob(name(letter)) for letter in pair)
        assert extends(git, after, before) is expected, pair


MOVED = torn_tail(b"torn")


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        (b"1\ntorn", b"1\n" + MOVED, True),
        (b"torn", MOVED, True),
        (b"1\n2\ntorn", b"1\n2\n" + MOVED, True),
        (b"1\ntorn", b"1\n" + MOVED + b"2\n3\n", True),
        (b"1\n" + b"x" * 400, b"1\n" + torn_tail(b"x" * 400), True),
        (b"1\n", b"2\n" + torn_tail(b""), False),
        (b"1\ntorn", b"2\n" + MOVED, False),
        (b"1\n2\ntorn", b"1\n3\n" + MOVED, False),
        (b"1\ntorn", b"1\n{\n" + MOVED, False),
        (b"1\ntorn", b"1\n[1, 2, 3, 4]\n", False),
        (b"1\ntorn", b"1\n" + torn_tail(b"torn", kind="tail"), False),
        (b"1\ntorn", b"1\n" + torn_tail(b"torn", sha256=sha256(b"x")), False),
        (b"1\ntorn", b"1\n" + torn_tail(b"torn", length=5), False),
    ],
)
def test_a_row_accounts_for_a_torn_tail(before, after, same):
    git: Any = Repository(a=("", before), b=("", after))
    assert extends(git, blob(after), blob(before)) is same


def test_a_row_about_nothing_moves_nothing_aside():
    git = Repository(a=("", b"1\n"), b=("a", b"2\n" + torn_tail(b"")))
    assert compared(git, b"", b="a") == [rewritten("a", 1, "b")]


# Published branches


def forced(ref, before, now):
    return Finding(
        "ledger.force-pushed",
        f"{ref} had rows at {name(before)[:12]} that it has no longer at {name(now)[:12]}",
        path=HERE,
        remedy=f"bring them back: git checkout {name(before)[:12]} -- {HERE}, commit, push",
        evidence={"ref": ref, "before": name(before), "now": name(now)},
    )


def judged(git, *refs):
    return list(published.judge(git, refs, (LEDGER, OLD), HERE))


GROWN = {"n": ("", None), "a": ("", b"1\n"), "b": ("", b"1\n2\n"), "c": ("", b"1\n2\n3\n")}


def shown(values, now, **more: tuple[str, bytes | None]):
    git: Any = Repository(**GROWN, **more)
    git.refs = {"main": ("t" * 40, name(now))}
    git.reflogs = {"main": values}
    return git


@pytest.mark.parametrize(
    ("values", "now", "lost"),
    [
        ("abc", "c", None),
        ("abca", "a", "c"),
        ("ab", "c", None),
        ("abx", "x", "b"),
        ("axb", "b", None),
        ("axbx", "x", "b"),
        ("na", "n", "a"),
        ("zb", "a", "b"),
        ("z", "a", None),
        ("", "a", None),
        ("n", "n", None),
        ("ban", "b", None),
    ],
)
def test_a_published_ledger_keeps_its_rows(values, now, lost):
    git = shown(values, now, x=("", b"8\n"))
    assert judged(git, "main") == ([forced("main", lost, now)] if lost else [])


def test_what_a_branch_was_is_asked_for_once():
    git = shown("abza", "c")
    assert judged(git, "main") == []
    assert git.asked[0] == ("blobs", [name("a"), name("b"), name("c")], (LEDGER, OLD))


def test_every_branch_is_judged():
    git = shown("ab", "a")
    git.refs |= {"bad": Unreadable("git broke"), "side": ("t" * 40, name("n"))}
    git.reflogs["side"] = "a"
    assert judged(git, "none", "bad", "main", "side") == [
        unsaid("bad: git broke", rule="ledger.force-pushed"),
        forced("main", "b", "a"),
        forced("side", "a", "n"),
    ]
