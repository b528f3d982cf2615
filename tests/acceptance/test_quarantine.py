"""Quarantined tests in ordinary runs: without xdist, and in two processes."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import pytest

TODAY = datetime.now(UTC).date()
SOON, PAST = TODAY + timedelta(9), TODAY - timedelta(1)
WAYS = [("-p", "no:xdist"), ("-n", "2")]


@pytest.fixture(params=WAYS, ids=["no-xdist", "n2"])
def way(request):
    return request.param


def mark(expires=SOON, **changes):
    keywords = {"issue": "#12", "owner": "@registry", "expires": str(expires), **changes}
    told = ", ".join(f"{key}={value!r}" for key, value in keywords.items() if value is not None)
    return f"pytest.mark.authz_quarantine({told})"


def run(make_sandbox, text, *arguments, **files):
    sandbox = make_sandbox({"test_a.py": f"import pytest, unittest\n{text}", **files})
    return sandbox.pytest("-q", "--strict-markers", "-p", "no:randomly", *arguments)


def totals(done):
    line = next(
        it for it in reversed(done.stdout.splitlines()) if re.search(r"\d \w+.* in [\d.]+s", it)
    )
    return {
        word: int(count) for count, word in re.findall(r"(\d+) (\w+)", line.partition(" in ")[0])
    }


def test_a_failure_is_neither_passed_nor_failed(make_sandbox, way):
    text = (
        f"@{mark()}\ndef test_a(): assert 0\n"
        "@pytest.fixture\ndef broken(): 1 / 0\n"
        f"@{mark()}\ndef test_setup(broken): pass\n"
        f"@{mark()}\nclass TestB(unittest.TestCase):\n"
        "    def test_b(self): self.fail()\n"
        f"@pytest.mark.parametrize('n', [1, pytest.param(2, marks={mark()})])\n"
        "def test_n(n): assert n == 1\n"
        f"@{mark(expires=TODAY)}\ndef test_last_day(): assert 0\n"
    )
    module = f"import pytest\npytestmark = [{mark(issue='AUTH-3')}]\ndef test_m(): assert 0\n"
    done = run(make_sandbox, text, *way, "-rx", **{"test_m.py": module})
    assert done.returncode == 0, done.stdout + done.stderr
    assert totals(done) == {"passed": 1, "quarantined": 6}
    assert f"QUARANTINED test_m.py::test_m - AUTH-3, @registry, until {SOON}" in done.stdout


def test_a_pass_fails(make_sandbox, way):
    done = run(make_sandbox, f"@{mark()}\ndef test_a(): pass\n", *way)
    assert done.returncode == 1
    assert totals(done) == {"failed": 1}
    assert f"passes: remove its marker (#12, @registry, until {SOON})" in done.stdout


def test_after_its_last_day_it_fails(make_sandbox, way):
    text = (
        f"@{mark(expires=PAST)}\ndef test_a(): assert 1 == 2\n"
        f"@{mark(expires=PAST)}\ndef test_skip(): pytest.skip()\n"
        f"@{mark(expires=PAST)}\ndef test_pass(): pass\n"
        f"@pytest.fixture\ndef broken(): 1 / 0\n"
        f"@{mark(expires=PAST)}\ndef test_setup(broken): pass\n"
    )
    done = run(make_sandbox, text, *way)
    assert done.returncode == 1
    assert totals(done) == {"failed": 4}
    assert done.stdout.count(f"quarantine expired on {PAST}; fix it or renew with a reason") >= 2
    assert "assert 1 == 2" in done.stdout
    assert "passes: remove its marker" in done.stdout


def test_a_wrong_marker_is_an_error_of_the_collection(make_sandbox, way):
    wrong: list[tuple[dict[str, str | None], str]] = [
        ({"issue": None}, "issue: missing"),
        ({"owner": ""}, "owner: missing"),
        ({"expires": "soon"}, "expires='soon': expected a day such as 2026-12-31"),
        ({"expires": str(TODAY + timedelta(91))}, "more than 90 days ahead"),
    ]
    tests = [
        f"@{mark(**changes)}\ndef test_{at}(): assert 0\n" for at, (changes, _) in enumerate(wrong)
    ]
    done = run(make_sandbox, f"\n\n{''.join(tests)}def test_b(): pass\n", *way)
    assert done.returncode in (1, 2)
    for at, (_, said) in enumerate(wrong):
        assert f"test_a.py:{4 + 2 * at}: authz_quarantine of test_{at}: " in done.stdout
        assert said in done.stdout
    assert totals(done)["errors"] == 4


def test_a_wrong_marker_does_not_take_the_others_along(make_sandbox, way):
    text = f"@{mark(owner=None)}\ndef test_a(): assert 0\ndef test_b(): pass\n"
    done = run(make_sandbox, text, *way, "--continue-on-collection-errors")
    assert done.returncode == 1
    assert totals(done) == {"passed": 1, "error": 1}


def test_a_wrong_marker_is_seen_while_collecting(make_sandbox):
    done = run(make_sandbox, f"@{mark(owner=None)}\ndef test_a(): assert 0\n", "--collect-only")
    assert done.returncode == 2
    assert "owner: missing" in done.stdout


def test_days_ahead_are_configured(make_sandbox):
    text = f"@{mark(expires=TODAY + timedelta(200))}\ndef test_a(): assert 0\n"
    settings = "[gate.quarantine]\nmax_days = {}\n"
    for days, code in (("200", 0), ("199", 2), ("'x'", 4)):
        sandbox = make_sandbox(
            {
                "cockpit.toml": settings.format(days),
                "test_a.py": f"import pytest\n{text}",
            },
            name=f"repo{code}",
        )
        done = sandbox.pytest("-q")
        assert done.returncode == code, done.stdout + done.stderr
    assert "cockpit.toml: gate.quarantine.max_days: expected a whole number" in done.stderr


def test_runxfail_does_not_end_a_quarantine(make_sandbox, way):
    done = run(make_sandbox, f"@{mark()}\ndef test_a(): assert 0\n", *way, "--runxfail")
    assert done.returncode == 0
    assert totals(done) == {"quarantined": 1}


def test_xfail_and_skip_within_a_quarantine(make_sandbox):
    text = (
        f"@{mark()}\n@pytest.mark.xfail(strict=True)\ndef test_a(): pass\n"
        f"@{mark()}\n@pytest.mark.xfail\ndef test_b(): assert 0\n"
        f"@{mark()}\n@pytest.mark.skip\ndef test_c(): pass\n"
        f"@{mark()}\nclass TestD(unittest.TestCase):\n"
        "    @unittest.expectedFailure\n    def test_d(self): pass\n"
        "    @unittest.expectedFailure\n    def test_e(self): self.fail()\n"
    )
    done = run(make_sandbox, text)
    assert totals(done) == {"failed": 2, "xfailed": 2, "skipped": 1}
    assert done.stdout.count("passes: remove its marker") >= 2


def test_subtests(make_sandbox, way):
    part = (
        f"@{mark()}\nclass Test{{name}}(unittest.TestCase):\n    def test_a(self):\n"
        "        for i in range(2):\n            with self.subTest(i=i): {check}\n"
    )
    text = part.format(name="Red", check="assert i") + part.format(name="Green", check="pass")
    # A fixture of pytest 9.
    fixture = (
        f"@{mark()}\ndef test_{{name}}(subtests):\n    for i in range(2):\n"
        "        with subtests.test(i=i): {check}\n"
    )
    wanted = 1
    if int(pytest.__version__.partition(".")[0]) >= 9:
        text += fixture.format(name="red", check="assert i")
        text += fixture.format(name="green", check="pass")
        wanted = 2
    done = run(make_sandbox, text, *way)
    assert done.returncode == 1
    found = totals(done)
    assert (found["quarantined"], found["failed"]) == (wanted, wanted)
    assert "TestGreen" in done.stdout


def test_junit_tells_an_expected_failure(make_sandbox, way, tmp_path):
    text = f"@{mark()}\ndef test_a(): assert 0\n@{mark()}\ndef test_b(): pass\n"
    path = tmp_path / "junit.xml"
    run(make_sandbox, text, *way, f"--junitxml={path}")
    suite = ET.parse(path).getroot()[0]  # noqa: S314 - our own file
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == [
        *("2", "1", "0", "1")
    ]
    (skipped,) = suite.iter("skipped")
    assert skipped.attrib == {
        "type": "pytest.xfail",
        "message": f"quarantined: #12, @registry, until {SOON}",
    }


def test_only_a_quarantined_test_loads_more(make_sandbox, monkeypatch):
    monkeypatch.setenv("COCKPIT_FRESH", "1")
    count = (
        "import sys\n"
        "def ours(): return {it for it in sys.modules if it.startswith('pytest_cockpit.')}\n"
        "def test_count(): assert ours() == {'pytest_cockpit.hookspecs', 'pytest_cockpit.plugin'}, ours()\n"
    )
    named = {"authz_quarantine/test_b.py": count, "cockpit.toml": "gate.quarantine.max_days = 0\n"}
    assert run(make_sandbox, count, **named).returncode == 0
    more = count.replace(
        "== {",
        "== {'pytest_cockpit.quarantine', 'pytest_cockpit.quarantine.marks', 'pytest_cockpit.quarantine.runtime', ",
    )
    sandbox = make_sandbox(
        {"test_a.py": f"import pytest\n{more}@{mark()}\ndef test_a(): assert 0\n"}, name="more"
    )
    assert sandbox.pytest("-q").returncode == 0


def test_the_marker_is_listed_and_strict(make_sandbox):
    sandbox = make_sandbox({"test_a.py": "def test_a(): pass\n"})
    assert "@pytest.mark.authz_quarantine(issue, owner, expires): known to fail" in (
        sandbox.pytest("--markers").stdout
    )


def test_quarantined_tests_can_be_chosen(make_sandbox, way):
    text = f"@{mark()}\ndef test_a(): assert 0\ndef test_b(): pass\n"
    done = run(make_sandbox, text, *way, "-m", "authz_quarantine")
    assert totals(done)["quarantined"] == 1
    assert "passed" not in totals(done)
    done = run(lambda files: make_sandbox(files, name="other"), text, *way, "-x", "--lf")
    assert totals(done) == {"quarantined": 1, "passed": 1}


def test_the_coverage_gate_takes_a_quarantined_failure_for_expected(ready):
    ready.write({"tests/test_q.py": f"import pytest\n@{mark()}\ndef test_q(): assert 0\n"})
    done = ready.pytest("-m", "coverage_ratchet", "-q")
    assert done.returncode == 0, done.stdout
    # A marker that no file names is not seen by its own gate, and excuses nothing here.
    hidden = f"import pytest\n@{mark()}\ndef test_q(): assert 0\n".replace(
        "pytest.mark.authz_quarantine", "getattr(pytest.mark, 'authz_' + 'quarantine')"
    )
    ready.write({"tests/test_q.py": hidden})
    done = ready.pytest("-m", "coverage_ratchet", "-q")
    assert done.returncode == 1
    assert "coverage.new-test-failure" in done.stdout


def test_the_ratchet_of_a_repository(make_sandbox):
    files = {"tests/test_q.py": f"import pytest\n@{mark()}\ndef test_q(): assert 0\n"}
    sandbox = make_sandbox(
        {"cockpit.toml": 'gates = ["quarantine"]\n', "candidate/__init__.py": ""}
    )
    sandbox.pytest("--cockpit-init", "-q")
    baseline = sandbox.root / ".cockpit/baselines/quarantine.json"
    assert '"entries": {}' in baseline.read_text()
    sandbox.commit(files)
    done = sandbox.pytest("-m", "quarantine_ratchet", "-v")
    assert done.returncode == 1, done.stdout
    assert "tests/test_q.py::test_q: in quarantine, and not in the baseline" in done.stdout
    baseline.unlink()
    done = sandbox.pytest("--cockpit-init", "-q")
    assert '"test_q": "#12"' in baseline.read_text(), done.stdout
    sandbox.commit({})
    assert sandbox.pytest("-m", "quarantine_ratchet", "-q").returncode == 0
    sandbox.commit({"tests/test_q.py": "def test_q(): pass\n"})
    done = sandbox.pytest("--cockpit-ratchet=tighten", "-q")
    assert done.returncode == 0, done.stdout
    assert '"entries": {}' in baseline.read_text()
