"""Which templates are rendered, and which are refused."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError
from pytest_cockpit.config import Config, Scaffold
from pytest_cockpit.git import Repository
from pytest_cockpit.phases import Place
from pytest_cockpit.scaffolding import apart, template
from pytest_cockpit.scaffolding.rendering import Renderer

FACTS = {"module": "core", "names": ["a", "b"]}


def rendered(files, facts=FACTS):
    encoded = {name: text.encode() for name, text in files.items()}
    found = Renderer(template.read("t", encoded)).render(facts)
    return {path: data.decode().partition("\n<!-- cockpit")[0] for path, data in found.items()}


def place(root, folder):
    repository = Repository.discover(root)
    head = repository.resolve("HEAD")
    settings = Config(scaffold=Scaffold(template=folder))
    return Place(repository, settings, head, head, datetime(2026, 1, 2, tzinfo=UTC))


@pytest.mark.parametrize(
    "settings",
    [
        '_tasks: ["touch x"]',
        "_migrations: [{version: v1, before: [ls]}]",
        "_jinja_extensions: [os.Path]",
        "_external_data: {other: ../x.yml}",
        "_something_of_tomorrow: 1",
    ],
)
def test_a_template_that_would_run_load_or_fetch_is_refused(settings):
    key = settings.partition(":")[0]
    with pytest.raises(CockpitError, match=re.escape(f"t: copier.yml: {key}: ")) as caught:
        rendered({"copier.yml": settings, "a.md": ""})
    assert str(caught.value).endswith("remove it")


@pytest.mark.parametrize(
    ("questions", "said"),
    [
        ("a: [", "not YAML"),
        ("- a", "expected questions and settings by name"),
        ("1: a", "expected questions and settings by name"),
        ("a: !include b.yml", "not YAML"),
        ("a: !!python/object/apply:os.system [ls]", "not YAML"),
        ("a: 2026-13-45", "not YAML"),
        ("[" * 2000, "nested too deeply"),
        ("a: 1\n---\nb: 1", "not YAML"),
        ("_subdirectory: '{{ module }}'", "_subdirectory: expected plain text"),
        ("_subdirectory: nowhere", "_subdirectory: 'nowhere' holds no files"),
        ("_templates_suffix: 1", "_templates_suffix: expected plain text"),
        ("_exclude: x", "_exclude: expected a list"),
        ("_exclude: ['!x']", "nothing is taken back"),
        ("_envops: [x]", "_envops: expected a table"),
        ("_envops: {extensions: x}", "_envops.extensions: not honoured"),
        ("_envops: {block_start_string: ''}", "_envops.block_start_string: not honoured"),
        ("who:\n  type: str", "t: who: nobody is asked here"),
        ("who:\n  type: int\n  default: '[{{ module }}'", "default is not YAML"),
    ],
)
def test_a_template_that_cannot_be_understood_is_told_by_file_and_key(questions, said):
    with pytest.raises(CockpitError) as caught:
        rendered({"copier.yml": questions, "a.md": ""})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_that_are_about_asking_are_of_no_matter():
    idle = "_min_copier_version: 9.0.0\n_message_after_copy: Hello\n_answers_file: x\n"
    assert rendered({"copier.yml": idle, "a.md": "x\n"}) == {"a.md": "x\n"}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.md.jinja", "{{ nobody }}", "'nobody' is undefined"),
        ("a.md.jinja", "\n{% if %}", "a.md.jinja:2: "),
        ("a.md.jinja", "{{ 1 / 0 }}", "division by zero"),
        ("a.md.jinja", "{{ module.__class__.__mro__ }}", "is unsafe"),
        ("a.md.jinja", "{{ names.append(1) }}", "is unsafe; correct"),
        ("a.md.jinja", "{{ range(10000000) | list }}", "too big"),
        ("a.md.jinja", "{% include '../../secret' %}", "../../secret"),
        ("a.md.jinja", "{{ module | to_nice_yaml }}", "No filter named 'to_nice_yaml'"),
        ("{{ nobody }}.md", "", "'nobody' is undefined"),
        ("{{ '..' }}/a.md", "", "no path below a module"),
        ("{{ '%c' | format(47) }}etc.md", "", "no path below a module"),
        ("{{ '.GIT' }}/config", "", "no path below a module"),
        ("{{ 'git~1' }}/config", "", "no path below a module"),
        ("{{ '.git::$INDEX_ALLOCATION' }}/config", "", "no path below a module"),
        ("{{ 'a\\nb' }}.md", "", "no path below a module"),
    ],
)
def test_what_goes_wrong_in_a_template_is_told_in_one_line(name, text, said):
    with pytest.raises(CockpitError) as caught:
        rendered({name: text})
    assert said in str(caught.value)
    assert str(caught.value).startswith("t: ")
    assert "\n" not in str(caught.value)


def test_two_files_that_come_out_at_one_path_are_refused():
    with pytest.raises(CockpitError, match=r"core\.md' comes of another file too"):
        rendered({"core.md": "", "{{ module }}.md": ""})


def test_a_template_that_is_no_text_is_told():
    with pytest.raises(CockpitError, match=r"t: a\.md\.jinja: not UTF-8"):
        Renderer(template.read("t", {"a.md.jinja": b"\xff"}))


def test_only_files_with_the_suffix_are_templates():
    files = {"a.txt.jinja": "{{ module }}\n", "b.txt": "{{ module }}\n"}
    assert rendered(files) == {"a.txt": "core\n", "b.txt": "{{ module }}\n"}


def test_a_path_with_an_empty_part_is_left_out():
    files = {
        "{% if names %}a{% endif %}/x.txt": "",
        "{% if not names %}b{% endif %}/x.txt": "",
        "{{ _copier_conf.answers_file }}.jinja": "{{ nobody }}",
    }
    assert rendered(files) == {"a/x.txt": ""}


def test_the_settings_of_a_template_are_honoured():
    files = {
        "copier.yml": (
            "_subdirectory: inside\n_templates_suffix: .tmpl\n_exclude: ['*.bak', /top.txt]\n"
            "_envops: {variable_start_string: '[[', variable_end_string: ']]'}\n"
            "greeting: Hello [[ module ]]\nmany: {type: int, default: '[[ names | length ]]'}\n"
            "plain: {type: bool, default: true}\n"
        ),
        "outside.txt": "",
        "inside/a.txt.tmpl": "[[ greeting ]], [[ many + 1 ]], [[ plain ]], {{ module }}\n",
        "inside/deep/b.bak": "",
        "inside/top.txt": "",
        "inside/deep/top.txt": "",
    }
    assert rendered(files) == {"a.txt": "Hello core, 3, True, {{ module }}\n", "deep/top.txt": ""}


def test_a_part_of_a_template_can_be_included():
    files = {
        "copier.yml": "_exclude: [parts]",
        "a.txt.jinja": "{% include 'parts/x.txt' %}",
        "parts/x.txt": "{{ module }}\n",
    }
    assert rendered(files) == {"a.txt": "core\n"}


def test_a_template_is_read_from_the_tree_and_not_from_the_work_tree(make_checkout):
    made = make_checkout({"t/a.txt.jinja": "committed\n"})
    before = template.load(place(made.root, "t"))
    made.write({"t/a.txt.jinja": "edited\n", "t/b.txt": "untracked\n"})
    assert template.load(place(made.root, "t/")) == before
    made.commit()
    after = template.load(place(made.root, "t"))
    assert set(after.files) == {"a.txt.jinja", "b.txt"}
    assert after.sha256 != before.sha256


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (("120000", "/etc/passwd"), "t/deep/a.md: a symbolic link"),
        (("160000", "0" * 39 + "1"), "t/deep/a.md: a submodule"),
    ],
)
def test_what_leads_out_of_a_template_is_refused(make_repository, content, said):
    made = make_repository({"t/deep/a.md": content, "t/b.md": ""})
    with pytest.raises(CockpitError, match=said):
        template.load(place(made.root, "t"))


@pytest.mark.parametrize("folder", ["nowhere", "a.md", "https://example.org/template"])
def test_a_template_is_a_tracked_folder(make_repository, folder):
    made = make_repository({"a.md": ""})
    with pytest.raises(CockpitError, match="is no folder with tracked files; git add the template"):
        template.load(place(made.root, folder))


def apart_rendered(**files):
    found = template.read("t", {name: data.encode() for name, data in files.items()})
    return apart.render(found, [("core", FACTS), ("more", {**FACTS, "module": "more"})])


def test_what_is_rendered_apart_is_what_is_rendered_here():
    files = {"{{ module }}.md": "plain\n", "a.txt.jinja": "{{ names }} {{ day }}\n"}
    files["copier.yml"] = "day: 2026-01-02\n"
    found = template.read("t", {name: data.encode() for name, data in files.items()})
    here = [Renderer(found).render({**FACTS, "module": name}) for name in ("core", "more")]
    assert apart_rendered(**files) == here


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 10 ** (10 ** 10) }}",
    ],
)
def test_a_template_without_end_is_stopped(monkeypatch, text):
    monkeypatch.setattr(apart, "SECONDS", 1)
    with pytest.raises(CockpitError, match=r"t: rendering was stopped by signal \d+; .* loops"):
        apart_rendered(**{"a.md.jinja": text})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ 'x' * 10 ** 11 }}", r"^t: a\.md\.jinja: MemoryError; .* \(for module core\)$"),
        ("{{ 'x' * 16000001 }}", r"^t: a\.md\.jinja: gives more than 16,000,000 bytes; shorten it"),
        ("{{ nobody }}", r"^t: a\.md\.jinja: 'nobody' is undefined; .* \(for module core\)$"),
    ],
)
def test_a_template_that_gives_too_much_or_nothing_is_told(text, said):
    with pytest.raises(CockpitError, match=said):
        apart_rendered(**{"a.md.jinja": text})


def test_what_ends_a_rendering_is_told(monkeypatch):
    monkeypatch.setattr(apart, "MEMORY", 1024)
    with pytest.raises(CockpitError, match=r"^t: rendering ended: \S*MemoryError"):
        apart_rendered(**{"a.md.jinja": ""})


@given(
    st.binary(max_size=80)
    | st.text(alphabet="abz_:-[]{}%#! \n'\"&*0", max_size=60).map(str.encode),
    st.text(alphabet="{}%# .abz|()'/~*_\n0", max_size=40),
    st.text(alphabet="{}%# .abz|()'~_0", min_size=1, max_size=20),
)
def test_any_template_is_rendered_or_refused_in_one_line(questions, text, name):
    files = {"copier.yml": questions, f"{name}.jinja": text.encode("utf-8"), "x": b""}
    try:
        Renderer(template.read("t", files)).render(FACTS)
    except CockpitError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either outcome is right
