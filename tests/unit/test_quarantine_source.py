"""Where a marker is, and the file without it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.quarantine import observed
from pytest_cockpit.quarantine.observed import Observation, Outcome
from pytest_cockpit.quarantine.since import Since, since
from pytest_cockpit.quarantine.source import spot

TODAY = date(2026, 11, 20)
FILE = """\
import pytest

Q = pytest.mark.authz_quarantine
kept = pytest.mark.authz_quarantine(issue="#1", owner="@a", expires="2026-12-01")


@pytest.mark.slow
@pytest.mark.authz_quarantine(
    issue="#2", owner="@a", expires="2026-12-01"
)
def test_a(): pass


@kept
def test_b(): pass


@Q(issue="#3", owner="@a", expires="2026-12-01")
class TestC:
    def test_d(self): pass


class TestE:
    pytestmark = [pytest.mark.slow, kept]

    def test_f(self): pass


@pytest.mark.parametrize(
    "n",
    [
        1,
        pytest.param(2, marks=pytest.mark.authz_quarantine(issue="#5", owner="é", expires="x")),
        pytest.param(3, marks=[Q(issue="#6", owner="@a", expires="x")]),
    ],
)
def test_g(n): pass
"""


@pytest.mark.parametrize(
    "node_id, issue, line, scope, gone",
    [
        ("t.py::test_a", "#2", 8, "function", '@pytest.mark.authz_quarantine(\n    issue="#2"'),
        ("t.py::test_b", "#1", 14, "function", "@kept\n"),
        ("t.py::TestC::test_d", "#3", 18, "class", '@Q(issue="#3"'),
        ("t.py::TestE::test_f", "#1", 24, "class", None),
        ("t.py::test_g[2]", "#5", 33, "case", ', marks=pytest.mark.authz_quarantine(issue="#5"'),
        ("t.py::test_g[3]", "#6", 34, "case", None),
    ],
)
def test_the_nearest_marker_of_the_issue(node_id, issue, line, scope, gone):
    found = spot(FILE, node_id, issue)
    assert found is not None
    assert (found.line, found.scope) == (line, scope)
    if gone is None:
        assert found.without is None
    else:
        assert gone in FILE
        assert found.without is not None
        assert gone not in found.without
        assert len(FILE.splitlines()) - len(found.without.splitlines()) in (0, 1, 3)
        compile(found.without, "t.py", "exec")


def test_a_whole_module_is_marked():
    text = (
        'import pytest\npytestmark = pytest.mark.authz_quarantine(issue="#1")\ndef test_a(): pass\n'
    )
    found = spot(text, "t.py::test_a", "#1")
    assert found is not None
    assert (found.line, found.scope) == (2, "module")
    assert found.without == "import pytest\ndef test_a(): pass\n"


@pytest.mark.parametrize("name, alias", [("authz_quarantine", ""), ("held", " as held")])
def test_a_marker_may_be_imported(name, alias):
    marked = f'@{name}(issue="#1", owner="@a")\n'
    text = f"from marks import authz_quarantine{alias}\n{marked}def test_a(): pass\n"
    found = spot(text, "t.py::test_a", "#1")
    assert found is not None
    assert (found.line, found.without) == (2, text.replace(marked, ""))


@pytest.mark.parametrize("odd", ["\f\n", "'\u2028\x85'\n", "\r\n", "x = '\v'\n"])
def test_lines_end_where_python_says(odd):
    marked = '@mark.authz_quarantine(issue="#1")\n'
    text = f"{odd}{marked}def test_a(): pass\n"
    found = spot(text, "t.py::test_a", "#1")
    assert found is not None
    assert found.without == text.replace(marked, "")


@pytest.mark.parametrize(
    "text",
    [
        'pytestmark = mark.authz_quarantine(issue="#1"); x = 1\ndef test_a(): pass\n',
        'x = 1; pytestmark = mark.authz_quarantine(issue="#1")\ndef test_a(): pass\n',
        '@(mark.authz_quarantine(issue="#1")\n)\ndef test_a(): pass\n',
        'class TestA:\n    pytestmark = mark.authz_quarantine(issue="#1")\n',
    ],
)
def test_nothing_else_goes_with_a_marker(text):
    found = spot(text, "t.py::TestA::test_a" if "class" in text else "t.py::test_a", "#1")
    assert found is not None
    assert found.without is None


def test_the_lowest_decorator_is_the_nearest():
    text = (
        '@mark.authz_quarantine(issue="#1", owner="@a")\n'
        '@mark.authz_quarantine(issue="#1", owner="@b")\ndef test_a(): pass\n'
    )
    found = spot(text, "t.py::test_a", "#1")
    assert found is not None
    assert found.line == 2


def test_what_cannot_be_seen_is_not_guessed():
    assert spot("def test_a(:", "t.py::test_a", "#1") is None
    assert spot("def test_a(): pass", "t.py::test_a", "#1") is None
    assert spot(FILE, "t.py::test_a", "#99") is None


def test_a_marker_is_as_old_as_its_first_form(make_repository, tmp_path):
    repository = make_repository({"t.py": "def test_a(): pass\n"})
    marked = "@mark(issue='#1', expires='{}')\ndef test_a(): pass\n"
    repository.commit({"t.py": "@mark.skip\ndef test_a(): pass\n"}, when=1_750_000_000)
    came = repository.commit({"t.py": marked.format("2026-01-31")}, when=1_760_000_000)
    repository.commit({"t.py": marked.format("2026-02-28")}, when=1_765_000_000)
    last = repository.commit(
        {"t.py": "import os\n\n\n" + marked.format("2026-03-31")}, when=1_770_000_000
    )
    repository.git("checkout", "-q", "-f", "main")
    first = Since(date(2025, 10, 9), came)
    assert since(repository.root, "t.py", 4, TODAY) == first
    (repository.root / "t.py").write_text("import sys\n" + (repository.root / "t.py").read_text())
    assert since(repository.root, "t.py", 5, TODAY) == first
    assert since(repository.root, "t.py", 1, TODAY) == Since(TODAY, None)
    assert since(repository.root, "t.py", 4, TODAY, last) == first
    assert since(repository.root, "t.py", 99, TODAY) is None
    assert since(tmp_path, "t.py", 1, TODAY) is None


ROW = (
    '{"row": "start", "id": "t.py::a"}\n'
    '{"row": "report", "id": "t.py::a", "when": "call", "outcome": "%s", "expected": %s, '
    '"message": "m", "text": "t"}\n'
)


@pytest.mark.parametrize(
    "outcome, expected, word",
    [
        ("passed", "false", "passed"),
        ("failed", "false", "failed"),
        ("skipped", "false", "skipped"),
        ("skipped", "true", "failed"),
        ("passed", "true", "passed"),
        ("rerun", "false", "unfinished"),
    ],
)
def test_outcomes(outcome, expected, word):
    seen = observed.parse((ROW % (outcome, expected)).encode())
    assert seen.outcomes == {"t.py::a": Outcome(word, "m", "t")}


def test_a_test_fails_in_whichever_of_its_phases_fails():
    rows = ROW % ("passed", "false") + ROW.splitlines()[1] % ("failed", "false")
    assert observed.parse(rows.encode()).outcomes["t.py::a"].word == "failed"
    rows = ROW % ("failed", "false") + ROW.splitlines()[1] % ("passed", "false")
    assert observed.parse(rows.encode()).outcomes["t.py::a"].word == "failed"


def test_a_test_that_only_began_is_unfinished():
    seen = observed.parse(b'{"row": "start", "id": "t.py::a"}\n{"row": "rep')
    assert seen.outcomes["t.py::a"].word == "unfinished"
    assert (seen.collected, seen.exit) == (None, None)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_observation(data):
    assert isinstance(observed.parse(data), Observation)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
KEYS = ["row", "id", "path", "line", "outcome", "total", "exit", "message", "expected"]


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), JSON), max_size=4))
def test_any_rows_are_an_observation(rows):
    import json

    data = "\n".join(json.dumps(row) for row in rows).encode()
    assert isinstance(observed.parse(data), Observation)


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_text_is_looked_through(text, node_id):
    spot(text, node_id, "#1")


def test_the_clock_may_go_back(make_repository):
    repository = make_repository({"t.py": "x\n"})
    repository.commit({"t.py": "y\n"}, when=4_000_000_000)
    repository.git("checkout", "-q", "-f", "main")
    found = since(repository.root, "t.py", 1, TODAY)
    assert found.day > TODAY + timedelta(365)
    assert found.age(TODAY) == 0
    assert found.age(found.day + timedelta(3)) == 3
