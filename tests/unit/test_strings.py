"""Files that are no Python, after modules have moved."""

from __future__ import annotations

import configparser
import os
import textwrap
import tomllib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_cockpit.promotion.rewriter import Edit, Reference
from pytest_cockpit.promotion.strings import rewrite_text

MOVED = {
    "candidate.core": "core",
    "candidate.core.common": "core.common",
    "candidate.bridge": "bridge",
    "candidate.Λ": "Λ",
    "candidate.ident.user": "ident.user",
}
PATHS = {
    "candidate/core/__init__.py": "core/__init__.py",
    "candidate/core/common.py": "core/common.py",
    "candidate/bridge.py": "bridge.py",
    "candidate/Λ.py": "Λ.py",
    os.fsdecode(b"candidate/\xff.py"): os.fsdecode(b"\xff.py"),
}
KNOWN = frozenset({*MOVED, "candidate.core.stay", "candidate.app"})


def run(source, path="pyproject.toml", **options):
    content = source if isinstance(source, bytes) else textwrap.dedent(source).encode()
    options = {"moved": MOVED, "moved_paths": PATHS, "known": KNOWN, **options}
    done = rewrite_text(content, path=path, **options)
    again = rewrite_text(done.content, path=path, **options)
    assert (again.content, again.edits) == (done.content, ())
    if not done.edits:
        assert done.content is content
    return done


def after(source, path="pyproject.toml", **options):
    return run(source, path, **options).content.decode()


def test_toml_strings_and_quoted_keys_follow():
    source = '''\
        [project.scripts]
        run = "candidate.core.common:main"
        'candidate.bridge' = """
        candidate.bridge.Class and candidate.core.stay.X
        """
        [tool.mypy.overrides]
        module = ["candidate.core.common", 'candidate.core.common.*', "candidate.Λ"]
        [tool.ruff.lint.per-file-ignores]
        "candidate/core/common.py" = ["E501"]
        "./candidate/bridge.py" = ["D"]  # candidate.bridge
        [tool.pytest.ini_options]
        addopts = "--cov=candidate.bridge -p candidate.core.common --ignore=candidate/bridge.py,candidate/Λ.py"
        entry = "candidate.core:main"
        '''
    expected = '''\
        [project.scripts]
        run = "core.common:main"
        'bridge' = """
        bridge.Class and candidate.core.stay.X
        """
        [tool.mypy.overrides]
        module = ["core.common", 'core.common.*', "Λ"]
        [tool.ruff.lint.per-file-ignores]
        "core/common.py" = ["E501"]
        "./bridge.py" = ["D"]  # candidate.bridge
        [tool.pytest.ini_options]
        addopts = "--cov=bridge -p core.common --ignore=bridge.py,Λ.py"
        entry = "core:main"
        '''
    done = run(source)
    assert done.content.decode() == textwrap.dedent(expected)
    assert tomllib.loads(done.content.decode())
    assert [item.line for item in done.reported] == [10]
    assert done.edits[0] == Edit(2, "candidate.core.common", "core.common")


@pytest.mark.parametrize(
    "line",
    [
        'x = "mycandidate.bridge"',
        'x = "x.candidate.bridge"',
        'x = "candidate.bridges"',
        'x = "candidate.core.stay"',
        'x = "candidate.app"',
        'x = "other/candidate/bridge.py"',
        'x = "candidate/bridge.pyc"',
        'x = "candidate/bridge.py.orig"',
        'x = "my-candidate/bridge.py"',
    ],
)
def test_other_tokens_are_not_touched(line):
    assert run(line).edits == ()


@pytest.mark.parametrize(
    "line",
    [
        "candidate.bridge = 1",
        "[candidate.bridge]",
        "# candidate.bridge",
        'x = "candidate.bridge-extra"',
        'x = "candidate.bridge.x-extra"',
        'x = "candidate.ident.*"',
        'x = "candidate.core"',
        'x = "candidate.core.*"',
        'x = "candidate.core*"',
        'x = "{toxinidir}/candidate/bridge.py"',
        'x = "candidate.bridge/x"',
    ],
)
def test_what_is_not_certain_is_reported(line):
    done = run(f"\n{line}\n")
    assert done.edits == ()
    assert done.reported == (
        Reference("pyproject.toml", 2, line, "left alone: no plain import path"),
    )


def test_a_package_that_moves_whole_is_renamed_wherever_it_stands():
    assert after('x = ["candidate.core", "candidate.core.*"]', known=frozenset(MOVED)) == (
        'x = ["core", "core.*"]'
    )


@pytest.mark.parametrize(
    "name", ["setup.cfg", "sub/pytest.ini", "tox.ini", "mypy.ini", ".coveragerc", ".flake8"]
)
def test_ini_lines_follow_and_their_comments_are_reported(name):
    source = (
        b"[options.entry_points]\r\n"
        b"console_scripts =\r\n"
        b"    run = candidate.core.common:main\r\n"
        b"    ; candidate.bridge\r\n"
        b"[mypy-candidate.core.common,candidate.bridge.*]\r\n"
        b"# candidate/bridge.py\r\n"
        b"files = candidate/bridge.py candidate/bridge.py:12 ./candidate/core/common.py\r\n"
    )
    done = run(source, name)
    assert done.content.decode() == (
        "[options.entry_points]\r\n"
        "console_scripts =\r\n"
        "    run = core.common:main\r\n"
        "    ; candidate.bridge\r\n"
        "[mypy-core.common,bridge.*]\r\n"
        "# candidate/bridge.py\r\n"
        "files = bridge.py bridge.py:12 ./core/common.py\r\n"
    )
    parser = configparser.ConfigParser()
    parser.read_string(done.content.decode())
    assert [item.line for item in done.reported] == [4, 6]


@pytest.mark.parametrize(
    "path",
    ["a.yml", "a.json", "README.md", "run.sh", "Dockerfile", ".github/CODEOWNERS", "uv.lock", "x"],
)
def test_other_formats_are_reported_line_by_line(path):
    done = run("a\n  candidate.bridge candidate.core.common\nb candidate/bridge.py\n", path)
    why = "left alone: the format is not rewritten"
    assert done.edits == ()
    assert done.reported == (
        Reference(path, 2, "candidate.bridge candidate.core.common", why),
        Reference(path, 3, "b candidate/bridge.py", why),
    )
    [report] = run(f"candidate.bridge {'x' * 28_576}", path).reported
    assert len(report.text) == 200


@pytest.mark.parametrize(
    "source, text",
    [
        (b"caf\xe9 candidate.bridge", "caf\ufffd candidate.bridge"),
        (b"\0\n\0candidate/bridge.py\0candidate.bridge", ""),
    ],
)
def test_a_file_that_is_no_text_is_reported_once(source, text):
    done = run(source)
    [report] = done.reported
    assert done.edits == ()
    assert (report.line, report.text) == (1 if text else 2, text)
    assert run(source.replace(b"candidate", b"candida")).reported == ()


def test_a_byte_order_mark_and_odd_line_ends_are_kept():
    source = b'\xef\xbb\xbfx = "candidate.bridge"\ry = 1\n'
    assert run(source).content == source.replace(b"candidate.", b"")


def test_nothing_that_moves_means_nothing_to_do():
    source = b'x = "candidate.bridge"  # candidate/bridge.py'
    same = {name: name for name in (*MOVED, *PATHS)}
    for moved in ({}, same):
        assert run(source, moved=moved, moved_paths=moved).reported == ()


def test_a_path_without_a_module_name_follows():
    assert after('x = "candidate/bridge.py"', moved={}) == 'x = "bridge.py"'


def test_reports_come_in_the_order_of_the_lines():
    source = "\n" + "candidate.bridge\n" + "\n" * 30 + "candidate.bridge\n"
    assert [item.line for item in run(source, "a.yml").reported] == [2, 33]


TEXTS = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from(
            ["candidate.bridge", "candidate/bridge.py", '"', "'", '"""', "'''", "#", "\\", "\n",
             "\r", "=", "[", "]", ".*", ";", " ", "é", "mypy-", "./", "candidate.core.common"]
        )
    ).map("".join),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(), TEXTS.map(str.encode)), st.sampled_from(["a.toml", "a.ini", "a"]))
@example(b'"""candidate.bridge', "a.toml")
@example(b"\xff\xfec\0a\0", "a.toml")
def test_no_bytes_make_it_fail(data, path):
    for content in (data, data + b"candidate.bridge"):
        run(content, path)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(TEXTS, TEXTS))
def test_toml_means_the_same_but_for_what_moved(table):
    quoted = "\n".join(f"{_basic(key)} = {_basic(value)}" for key, value in table.items())
    after_move = tomllib.loads(after(quoted.encode()))
    assert len(after_move) <= len(table)
    same = {k: v for k, v in table.items() if "candidate" not in k + v}
    assert same.items() <= after_move.items()


def _basic(text):
    escaped = "".join(
        f"\\u{ord(sign):04x}" if ord(sign) < 32 or ord(sign) == 127 or sign in '"\\' else sign
        for sign in text
    )
    return f'"{escaped}"'


def test_long_files_take_time_in_proportion():
    # A search that starts again at each of these quotes would not come to an end.
    source = b"'''\"\"\"" * 1 + b"'\"" * 200_000 + b"candidate.bridge" * 5_000
    assert run(source, "a.toml").content
