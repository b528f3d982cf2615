"""What modules lack of the template, what they are given, and how they drift from it."""

from __future__ import annotations

import ast
import dataclasses
import importlib.resources
import importlib.util
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.config import Config, Registry, Scaffold
from pytest_cockpit.git import Repository
from pytest_cockpit.phases import Place
from pytest_cockpit.records import artifacts, ledger, ledger_kinds, schema
from pytest_cockpit.records.text import sha256
from pytest_cockpit.registry.modules import discover
from pytest_cockpit.scaffolding import marks, phase, template, wording
from pytest_cockpit.scaffolding.drift import State
from pytest_cockpit.scaffolding.rendering import Renderer
from pytest_cockpit.sweep.suite import suites

DOCUMENTS = (
    "CHANGELOG.md",
    "CONTEXT.md",
    "README.md",
    "docs/API.md",
    "docs/ARCHITECTURE.md",
    "docs/GUIDES.md",
)
TESTS = ("tests/conftest.py", "tests/test_smoke.py", "tests/test_unit.py")
CORE = {
    "core/module.manifest.json": json.dumps({"module": "core", "description": "Sums."}),
    "core/__init__.py": "from core.sums import add\n\n__all__ = ['add']\n",
    "core/sums.py": "LIMIT = 3\n\n\ndef add(a, b=1, *, c=None):\n    return a + b\n",
}
OWN = {"t/NOTES.md.jinja": "# {{ module }}: {{ description }}\n"}


def place(root, settings=None):
    repository = Repository.discover(root)
    head = repository.resolve("main")
    chosen = settings or Config()
    return Place(repository, chosen, head, head, datetime(2026, 1, 2, tzinfo=UTC))


def with_template(**more):
    return Config(scaffold=Scaffold(template="t", **more))


def states(place_):
    found = phase.survey(place_)
    return {file.path: file.state.value for standing in found.standings for file in standing.files}


def applied(made, settings=None):
    """Apply the template and commit what it gives, ledger included."""
    here = place(made.root, settings)
    result = phase.run(here, apply=True)
    rows = ledger.extend(here.read(here.settings.ledger) or b"", result.changes.rows)
    made.commit({**result.changes.files, here.settings.ledger: rows})
    return result


def difference(result):
    """What is said of the one file that drifted, which says first what is which."""
    (module,) = result.artifacts["scaffold.json"][0]["modules"]
    lines = module["files"][0]["said"].split("\n")
    assert lines[:2] == ["--- as it is", "+++ as the template gives it"]
    return lines[2:]


def lying(path, what):
    """Says that something is at a path, and nothing anywhere else."""
    return lambda asked: what if asked == path else ""


def text(result, path):
    return result.changes.files[path].decode()


# What is given


def test_a_module_is_given_all_that_it_lacks(make_repository):
    made = make_repository({**CORE, "core/README.md": "mine\n"})
    seen = phase.run(place(made.root), apply=False)
    assert (seen.verdict, bool(seen.changes)) == (Verdict.FAIL, False)
    assert seen.text.startswith("core: lacks CHANGELOG.md, CONTEXT.md, docs/API.md,")
    result = phase.run(place(made.root), apply=True)
    given_ = {*DOCUMENTS, *TESTS, "tests/__init__.py"} - {"README.md"}
    assert result.verdict is Verdict.PASS
    assert set(result.changes.files) == {f"core/{name}" for name in given_}
    assert all(map(marks.is_scaffold, result.changes.files.values()))
    assert result.facts["lacking"] == len(given_)


def test_applying_twice_changes_nothing(make_repository):
    made = make_repository(CORE)
    applied(made)
    again = phase.run(place(made.root), apply=True)
    assert (again.verdict, bool(again.changes)) == (Verdict.PASS, False)
    assert again.summary == "0 files given; 1 module; nothing drifted"
    assert phase.run(place(made.root), apply=False).verdict is Verdict.PASS


def test_the_ledger_is_told_what_each_module_was_given(make_repository):
    made = make_repository({**CORE, **OWN})
    result = phase.run(place(made.root, with_template()), apply=True)
    (row,) = result.changes.rows
    content = result.changes.files["core/NOTES.md"]
    assert row["files"] == [{"path": "core/NOTES.md", "sha256": sha256(content)}]
    assert (row["kind"], row["module"], row["at"]) == ("scaffold", "core", "2026-01-02T00:00:00Z")
    assert ledger_kinds.fits(row)
    assert not ledger_kinds.fits({**row, "files": []})
    assert ledger.rows(ledger.extend(b"", [row]))


def test_files_that_are_bound_to_the_ledger_have_their_own_rows(make_repository):
    made = make_repository({**CORE, **OWN})
    gate = {"ledger": {"bound": ["**/NOTES.md"]}}
    result = phase.run(
        place(made.root, dataclasses.replace(with_template(), gate=gate)), apply=True
    )
    _, row = result.changes.rows
    assert (row["kind"], row["path"], row["previous"]) == ("content", "core/NOTES.md", None)
    assert row["blob"] == made.git(
        "hash-object", "-w", "--stdin", stdin=result.changes.files["core/NOTES.md"]
    )
    assert ledger_kinds.fits(row)


def test_the_document_answers_to_its_schema(make_repository):
    made = make_repository({**CORE, "core/run.py": "def f(): ...\n\n\nprint(f())\n"})
    result = phase.run(place(made.root), apply=False)
    document, name = result.artifacts["scaffold.json"]
    assert schema.problems(document, name) == []
    artifacts.canonical_line(document)
    (module,) = document["modules"]
    assert module["not_imported"] == [{"path": "core/run.py", "reason": "acts when it is imported"}]
    assert schema.problems({**document, "applied": "no"}, name)


def test_no_module_is_no_pass(make_repository):
    made = make_repository({"a.py": ""})
    for apply in (True, False):
        assert phase.run(place(made.root), apply=apply).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("absent", ["jinja2", "yaml"])
def test_without_the_extra_nothing_is_known(make_repository, monkeypatch, absent):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == absent else real(name)
    )
    result = phase.run(place(make_repository(CORE).root), apply=True)
    assert result.verdict is Verdict.UNKNOWN
    assert result.summary == f"{absent} is not installed; pip install 'pytest-cockpit[scaffold]'"
    assert not result.changes


def test_modules_can_be_left_as_they_are(make_repository):
    made = make_repository({**CORE, **OWN, "b/module.manifest.json": "{}"})
    assert set(states(place(made.root, with_template(exclude=("core",))))) == {"b/NOTES.md"}


def test_progress_is_told_where_there_are_many(make_repository, monkeypatch):
    monkeypatch.setattr(phase, "_TOLD_EVERY", 2)
    files = {f"m{number}/module.manifest.json": "{}" for number in range(5)}
    told: list[str] = []
    made = make_repository({**OWN, **files})
    phase.survey(dataclasses.replace(place(made.root, with_template()), say=told.append))
    assert told == [
        "scaffold: 5 modules to look at",
        *(f"scaffold: {number} of 5 modules rendered" for number in (2, 4)),
    ]


# What is in the way


def test_nothing_is_written_over_or_behind_what_is_there(make_repository):
    files = {f"{name}/module.manifest.json": "{}" for name in "abcdef"}
    made = make_repository(
        {
            "t/docs/NOTES.md": "notes\n",
            **files,
            "a/docs": ("120000", "/elsewhere"),
            "b/docs": "a file",
            "c/docs": ("160000", "0" * 39 + "1"),
            "d/docs/NOTES.md/x": "",
            "e/docs/notes.MD": "mine\n",
            "f/docs/NOTES.md": ("120000", "../../README.md"),
        }
    )
    found = phase.survey(place(made.root, with_template()))
    said = {standing.module.path: standing.files[0] for standing in found.standings}
    assert {name: (file.state.value, file.said) for name, file in said.items()} == {
        "a": ("blocked", "a/docs is a symbolic link"),
        "b": ("blocked", "b/docs is a file"),
        "c": ("blocked", "c/docs is a submodule"),
        "d": ("blocked", "d/docs/NOTES.md is a folder"),
        "e": ("own", ""),
        "f": ("blocked", "f/docs/NOTES.md is a symbolic link"),
    }
    result = phase.run(place(made.root, with_template()), apply=True)
    assert (result.verdict, bool(result.changes)) == (Verdict.FAIL, False)
    assert "f/docs/NOTES.md is a symbolic link: move it away, or exclude" in result.text
    assert phase.run(place(made.root, with_template()), apply=False).verdict is Verdict.FAIL


def test_a_file_that_git_does_not_track_is_not_written_over(make_repository):
    made = make_repository({**CORE, **OWN})
    here = place(made.root, with_template())
    result = phase.run(here, apply=True, lies=lying("core/NOTES.md", "a file"))
    assert (result.verdict, bool(result.changes)) == (Verdict.PASS, False)


@pytest.mark.parametrize(
    ("path", "what"),
    [("docs/NOTES.md", "a folder"), ("docs/NOTES.md", "a symbolic link"), ("docs", "a file")],
)
def test_what_git_does_not_track_is_in_the_way_all_the_same(make_repository, path, what):
    made = make_repository({"a/module.manifest.json": "{}", "t/docs/NOTES.md": "notes\n"})
    lies = lying(f"a/{path}", what)
    for apply in (True, False):
        result = phase.run(place(made.root, with_template()), apply=apply, lies=lies)
        assert (result.verdict, bool(result.changes)) == (Verdict.FAIL, False)
        (module,) = result.artifacts["scaffold.json"][0]["modules"]
        assert [(file["state"], file["said"]) for file in module["files"]] == [
            ("blocked", f"a/{path} is {what}")
        ]


def test_a_folder_that_has_files_is_not_made_a_package(make_repository):
    """What is there may be imported as files of a folder, which a package would end."""
    made = make_repository({**CORE, "core/tests/test_mine.py": "import helpers\n"})
    assert "core/tests/__init__.py" not in states(place(made.root))


# Drift


def test_who_changed_what_is_told_apart(make_repository):
    made = make_repository({**CORE, **OWN})
    applied(made, with_template())
    path = "core/NOTES.md"
    given_ = (made.root, with_template())
    assert states(place(*given_)) == {path: "current"}
    content = place(made.root).read(path)

    made.commit({path: content + b"more\n"})
    edited = phase.run(place(*given_), apply=False)
    assert states(place(*given_)) == {path: "edited"}
    assert (edited.verdict, edited.facts["edited"]) == (Verdict.PASS, 1)

    made.commit({"t/NOTES.md.jinja": "# New {{ module }}\n"})
    assert states(place(*given_)) == {path: "diverged"}
    diverged = phase.run(place(*given_), apply=False)
    assert diverged.verdict is Verdict.WARN
    assert difference(edited) == ["@@ -1,4 +1,3 @@", " # core: Sums.", " ", "-more", " "]
    assert difference(diverged) == [
        "@@ -1,4 +1,3 @@",
        "-# core: Sums.",
        "+# New core",
        " ",
        "-more",
        " ",
    ]

    made.commit({path: content})
    assert states(place(*given_)) == {path: "outdated"}
    result = phase.run(place(*given_), apply=True)
    assert (result.verdict, bool(result.changes)) == (Verdict.WARN, False)
    assert difference(result) == ["@@ -1,3 +1,3 @@", "-# core: Sums.", "+# New core", " ", " "]


def test_a_new_public_name_makes_the_given_tests_outdated(make_repository):
    made = make_repository(CORE)
    applied(made)
    made.commit({"core/sums.py": CORE["core/sums.py"] + "\n\ndef twice(a):\n    return 2 * a\n"})
    drifted = {path for path, state in states(place(made.root)).items() if state != "current"}
    assert drifted == {f"core/{name}" for name in ("docs/API.md", *TESTS[1:])}


def test_line_ends_are_no_drift(make_repository):
    made = make_repository({**CORE, **OWN})
    applied(made, with_template())
    here = place(made.root, with_template())
    made.commit({"core/NOTES.md": here.read("core/NOTES.md").replace(b"\n", b"\r\n")})
    assert states(place(made.root, with_template())) == {"core/NOTES.md": "current"}


def test_a_long_difference_is_cut(make_repository):
    long = "".join(f"line {number}\n" for number in range(3000))
    made = make_repository({**CORE, "t/LONG.md": long})
    applied(made, with_template())
    made.commit({"t/LONG.md": "short\n"})
    (file,) = phase.survey(place(made.root, with_template())).standings[0].files
    assert file.said.endswith("… and 2,606 more lines")


def test_tests_that_nobody_has_touched_earn_no_coverage(make_repository):
    made = make_repository(CORE)
    applied(made)
    here = place(made.root)
    (suite,) = suites(here, discover(here))
    assert suite.tests == ()
    made.commit({"core/tests/test_unit.py": here.read("core/tests/test_unit.py") + b"# mine\n"})
    here = place(made.root)
    (suite,) = suites(here, discover(here))
    assert suite.tests == ("core/tests/test_unit.py",)


# Modules of every kind


def test_names_are_the_real_ones(make_repository):
    made = make_repository(CORE)
    result = phase.run(place(made.root), apply=True)
    smoke = text(result, "core/tests/test_smoke.py")
    names = ast.literal_eval(smoke.partition("NAMES = ")[2].partition("# fmt: on")[0])
    assert names == {"core": ["add"], "core.sums": ["LIMIT", "add"]}
    unit = text(result, "core/tests/test_unit.py")
    functions = ast.literal_eval(unit.partition("FUNCTIONS = ")[2].partition("# fmt: on")[0])
    assert functions == [("core.sums", "add", "(a, b=..., *, c=...)")]
    assert "| `add(a, b=..., *, c=...)` | function |" in text(result, "core/docs/API.md")


def test_a_module_without_python_is_given_no_tests(make_repository):
    made = make_repository({"a/module.manifest.json": "{}", "a/x.js": "", "a/_private.py": ""})
    assert set(states(place(made.root))) == {f"a/{name}" for name in DOCUMENTS}


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def f(): ...\n\nmain()\n", "acts when it is imported"),
        ("import sys\n\nX = 1\nsys.exit(0)\n", "acts when it is imported"),
        ("import shutil\n\nshutil.rmtree('x')\n", "acts when it is imported"),
        ("# cockpit: moved to a.b\nX = 1\n", "is a compatibility module"),
        ("def oops(:\n", "does not parse"),
        ('"""Call\n\nmain()\n"""\nif (1):\n    X = 1\n', ""),
        ("import logging\n\nlogging.getLogger(__name__).debug('x')\n", ""),
        ("if __name__ == '__main__':\n    main()\n", ""),
    ],
)
def test_scripts_are_not_run_by_the_tests_that_are_given(make_repository, source, reason):
    made = make_repository({"a/module.manifest.json": "{}", "a/x.py": source})
    (standing,) = phase.survey(place(made.root)).standings
    assert standing.left_out == ((("a/x.py", reason),) if reason else ())
    assert ("a/tests/test_smoke.py" in {file.path for file in standing.files}) == (not reason)


def test_a_file_and_a_package_of_one_name_are_not_told_apart(make_repository):
    made = make_repository(
        {"a/module.manifest.json": "{}", "a/x.py": "X = 1\n", "a/x/__init__.py": "Y = 1\n"}
    )
    (standing,) = phase.survey(place(made.root)).standings
    assert {path for path, _ in standing.left_out} == {"a/x.py", "a/x/__init__.py"}
    assert {reason for _, reason in standing.left_out} == {"has the name of a package"}


def test_a_module_may_be_the_whole_repository_or_lie_below_a_source_root(make_repository):
    made = make_repository(
        {
            "module.manifest.json": "{}",
            "src/core/module.manifest.json": "{}",
            "src/core/__init__.py": "X = 1\n",
            "top.py": "Y = 2\n",
        }
    )
    settings = Config()
    lane = dataclasses.replace(settings.lane, source_roots=(".", "src"))
    result = phase.run(place(made.root, dataclasses.replace(settings, lane=lane)), apply=True)
    assert 'in ["."]' in text(result, "tests/conftest.py")
    assert '"top": [' in text(result, "tests/test_smoke.py")
    assert "tests/__init__.py" not in result.changes.files
    assert 'in [".."]' in text(result, "src/core/tests/conftest.py")
    assert '"core": [' in text(result, "src/core/tests/test_smoke.py")
    assert "src/core/tests/__init__.py" in result.changes.files


@pytest.mark.parametrize("folder", ["my-module", "we ird", "class", "1st", "ä/b c", "{{ x }}"])
def test_a_folder_that_no_import_can_spell_is_documented_all_the_same(make_repository, folder):
    made = make_repository({f"{folder}/module.manifest.json": "{}", f"{folder}/x.py": "X = 1\n"})
    for apply in (True, False):
        said = phase.run(place(made.root), apply=apply).summary
        assert said.endswith(
            f"no import can name the files of {folder}, so no tests are given there"
        )
    (standing,) = phase.survey(place(made.root)).standings
    assert {file.path for file in standing.files} == {f"{folder}/{name}" for name in DOCUMENTS}
    assert standing.left_out == ((f"{folder}/x.py", "has no name to be imported by"),)


def test_names_beyond_ascii_are_names(make_repository):
    made = make_repository({"ä/module.manifest.json": "{}", "ä/ö.py": "def ü(ß): ...\n"})
    result = phase.run(place(made.root), apply=True)
    assert '("ä.ö", "ü", "(ß)"),' in text(result, "ä/tests/test_unit.py")


def test_a_path_that_is_no_utf_8_harms_nothing(make_repository):
    made = make_repository({"\udcff/module.manifest.json": "{}", "\udcff/x.py": "X = 1\n"})
    result = phase.run(place(made.root), apply=True)
    assert "\udcff/README.md" in result.changes.files
    assert schema.problems(result.artifacts["scaffold.json"][0], "scaffold") == []


def test_what_a_manifest_says_is_text_and_never_a_template(make_repository):
    said = "{{ 7 * 7 }} {% include 'x' %} [x](javascript:1) <b> `y` | # *z*\n# Heading"
    manifest = json.dumps({"module": '""" {{ 1 }}', "description": said})
    raw = {"t/RAW.txt.jinja": "{{ description }}"}
    made = make_repository({"a/module.manifest.json": manifest, "a/x.py": "X = 1\n", **raw})
    own = phase.run(place(made.root, with_template()), apply=True)
    assert text(own, "a/RAW.txt") == said.replace("\n", " ")
    result = phase.run(place(made.root), apply=True)
    readme = text(result, "a/README.md").splitlines()
    assert readme[0] == '# """ \\{\\{ 1 \\}\\}'
    assert readme[2] == (
        r"\{\{ 7 \* 7 \}\} \{% include 'x' %\} \[x\]\(javascript:1\) &lt;b&gt; \`y\` \| \# \*z\* "
        r"\# Heading"
    )
    for name in TESTS:
        ast.parse(text(result, f"a/{name}"))


SHIPPED = template.load(Place(None, Config(), "", "", datetime.now(UTC)))  # type: ignore[arg-type] # nothing is read


@given(
    st.text(max_size=30),
    st.text(max_size=60),
    st.lists(st.text(alphabet="/.'\"\\ aä\U0001d518\n", min_size=1, max_size=8), max_size=3),
)
def test_the_shipped_template_gives_code_and_marked_files_for_any_words(name, said, sources):
    from pytest_cockpit.scaffolding.facts import _literal

    facts = {
        "module": name,
        "title": name,
        "path": "a",
        "summary": said,
        "sources": [_literal(source) for source in sources],
        "imports": [{"module": "a.x", "names": ["X"], "functions": []}],
        "package": True,
    }
    found = Renderer(SHIPPED).render(facts)
    assert len(found) == 10
    assert all(map(marks.is_scaffold, found.values())) or "cockpit: scaffold" in name + said
    tree = ast.parse(found["tests/conftest.py"])
    (loop,) = [node for node in tree.body if isinstance(node, ast.For)]
    assert ast.literal_eval(loop.iter) == sources


# Copier itself


def copied(folder, target, facts):
    copier = pytest.importorskip("copier", reason="copier is what rendering is held against")
    copier.run_copy(str(folder), str(target), data=facts, defaults=True, quiet=True, unsafe=False)
    return {
        path.relative_to(target).as_posix(): path.read_bytes()
        for path in target.rglob("*")
        if path.is_file()
    }


FACTS = {
    "module": "core",
    "title": "core",
    "path": "core",
    "description": "Sums.",
    "summary": "Sums.",
    "api": [{"file": "`x.py`", "names": [{"name": "`f(a)`", "kind": "function"}]}],
    "sources": ['".."'],
    "package": True,
    "imports": [
        {
            "module": "core.x",
            "names": ["f"],
            "functions": [{"name": "f", "parameters": '"(a)"'}],
        }
    ],
}


@pytest.mark.parametrize("facts", [FACTS, {}, {**FACTS, "package": False, "summary": ""}])
def test_copier_gives_the_same_of_the_shipped_template(tmp_path, facts):
    folder = tmp_path / "template"
    for name, content in SHIPPED.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    shipped = importlib.resources.files("pytest_cockpit") / "scaffolding" / "template"
    (folder / "copier.yml").write_bytes((shipped / "copier.yml").read_bytes())
    theirs = copied(folder, tmp_path / "target", facts)
    ours = {path: marks.bare(data) for path, data in Renderer(SHIPPED).render(facts).items()}
    # A blank line stands before the mark of markup.
    assert {path: data.rstrip(b"\n") for path, data in ours.items()} == {
        path: data.rstrip(b"\n") for path, data in theirs.items()
    }


def test_copier_gives_the_same_of_a_template_of_ones_own(tmp_path):
    files = {
        "copier.yml": (
            "_subdirectory: inside\n_templates_suffix: .tmpl\n_exclude: ['*.bak', /top.txt]\n"
            "_envops: {variable_start_string: '[[', variable_end_string: ']]'}\n"
            "greeting: Hello [[ module ]]\n"
            "many: {type: int, default: '[[ 1 + 1 ]]'}\n"
            "rows: {type: yaml, default: [1, 2]}\n"
        ),
        "outside.txt": "",
        "inside/a.txt.tmpl": "[[ greeting ]], [[ many + 1 ]], [[ rows | sum ]]\n",
        "inside/{% if many > 5 %}no{% endif %}/x.txt": "",
        "inside/[[ module ]]/{{ x }}.txt.tmpl": "{{ literal }}",
        "inside/plain.txt": "[[ module ]]\n",
        "inside/twin.txt": "copied\n",
        "inside/twin.txt.tmpl": "rendered\n",
        "inside/deep/b.bak": "",
        "inside/top.txt": "",
        "inside/deep/top.txt": "",
    }
    for name, content in files.items():
        path = tmp_path / "template" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    theirs = copied(tmp_path / "template", tmp_path / "target", {"module": "core"})
    encoded = {name: content.encode() for name, content in files.items()}
    assert Renderer(template.read("t", encoded)).render({"module": "core"}) == theirs


def test_what_is_said_of_a_folder_is_one_line(make_repository):
    odd = "a\n::error::\x1b[2J"
    files = {f"{odd}/module.manifest.json": "{}", f"{odd}/docs": "", "t/docs/x": ""}
    made = make_repository({**files, "t/y.txt.jinja": ""})
    result = phase.run(place(made.root, with_template()), apply=False)
    assert result.text.isprintable()
    (standing,) = phase.survey(place(made.root, with_template())).standings
    assert all(line.isprintable() for line in wording.text(standing).split("\n"))
    assert "a\\n::error::" in wording.text(standing)
    made.commit({"t/y.txt.jinja": "{{ nobody }}"})
    with pytest.raises(CockpitError) as caught:
        phase.survey(place(made.root, with_template()))
    assert str(caught.value).isprintable()


def test_what_goes_wrong_with_a_module_names_it(make_repository):
    made = make_repository({**CORE, "t/x.txt.jinja": "{{ manifest.owner }}"})
    with pytest.raises(CockpitError, match=r"t: x\.txt\.jinja: .*'owner'.* \(for module core\)"):
        phase.survey(place(made.root, with_template()))


def test_a_state_is_of_every_file(make_repository):
    made = make_repository({**CORE, **OWN})
    counted = phase.survey(place(made.root, with_template())).counted()
    assert counted == {State.LACKING: 1}


def test_manifests_may_have_another_name(make_repository):
    made = make_repository({"a/m.json": "{}", **OWN})
    settings = dataclasses.replace(with_template(), registry=Registry(manifests=("**/m.json",)))
    assert set(states(place(made.root, settings))) == {"a/NOTES.md"}
