"""Kernels of the gate `gemm` as far as no device is needed: templates, variants, table, judging."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import math
import subprocess
import sys
import time

import filelock
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

np = pytest.importorskip("numpy", reason="numpy is not installed (the extra gemm)")

from pytest_cockpit.api import CockpitError  # noqa: E402
from pytest_cockpit_gates.gemm.kernels import families, table  # noqa: E402
from pytest_cockpit_gates.gemm.kernels.rendering import render  # noqa: E402
from pytest_cockpit_gates.gemm.kernels.table import Entry, Table  # noqa: E402
from pytest_cockpit_gates.gemm.kernels.variants import Variant  # noqa: E402

PLATFORMS = ("pocl", "rusticl", "clover", "nvidia")
INFO = {
    "platform": "pocl",
    "platform_version": "OpenCL 3.0 PoCL 3.1 [x]",
    "device": "pthread-haswell-CPU (a*b)",
}
everywhere = {variant.id: variant for name in PLATFORMS for variant in families.variants(name)}


def test_repetitions_are_unrolled_within_each_other():
    template = """\
//@ for i in TM
row@{i}:
    //@ for j in 2
    c@{i}_@{j} = v.s@{j};
    //@ end
//@ end
TM stays"""
    assert render(template, {"TM": 2, "A": 1}).splitlines() == [
        "#define A 1",
        "#define TM 2",
        "row0:",
        "    c0_0 = v.s0;",
        "    c0_1 = v.s1;",
        "row1:",
        "    c1_0 = v.s0;",
        "    c1_1 = v.s1;",
        "TM stays",
    ]


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("//@ for i in TM", "not closed"),
        ("//@ for i in TM\n//@ for j in 2\n//@ end", "not closed"),
        ("//@ end", "no directive"),
        ("//@ for i in", "no directive"),
        ("//@ repeat", "no directive"),
        ("//@ for i in TN\n//@ end", "TN, which is not given"),
        ("@{i}", "names i"),
        ("//@ for i in TM\n@{j}\n//@ end", "names j"),
    ],
)
def test_a_broken_template_is_refused(template, why):
    with pytest.raises(ValueError, match=why):
        render(template, {"TM": 1})


@given(
    st.lists(
        st.sampled_from(["//@ for i in 2", "//@ for j in TM", "//@ end", "//@", "@{i}", "@{j}"])
        | st.text(max_size=6)
    ).map("\n".join)
)
@settings(deadline=None)
def test_any_text_is_rendered_or_refused(template):
    try:
        text = render(template, {"TM": 3})
    except ValueError:
        return
    assert not any(line.strip().startswith("//@") for line in text.splitlines())


@pytest.mark.parametrize("variant", everywhere.values(), ids=lambda it: it.id)
def test_each_variant_is_one_text(variant):
    text = variant.text()
    assert "@" not in text
    assert "__kernel" in text
    assert text.isascii()
    assert variant.sha256 == dataclasses.replace(variant).sha256


def test_variants_are_told_apart_by_their_id_and_their_text():
    for name in PLATFORMS:
        ids = [it.id for it in families.variants(name)]
        assert len(ids) == len(set(ids))
    assert len({it.sha256 for it in everywhere.values()}) == len(everywhere)


def test_each_platform_ends_with_the_naive_kernel():
    for name in PLATFORMS:
        assert families.variants(name)[-1] == families.NAIVE
        assert families.by_id(name, "naive") == families.NAIVE


def test_an_unknown_variant_is_refused_with_those_known():
    with pytest.raises(CockpitError, match=r"pocl: no variant is called fastest; known: .*naive"):
        families.by_id("pocl", "fastest")
    with pytest.raises(CockpitError, match="no family of kernels is called none"):
        families.family_of(Variant("x", "none", "naive.cl"))


def test_variants_are_known_where_no_opencl_is():
    code = (
        "import sys\n"
        "from pytest_cockpit_gates.gemm.kernels import families, table\n"
        "print(len(families.variants('pocl')), table.load().best("
        "{'platform': 'pocl', 'platform_version': '', 'device': ''}, 1, 1, 1).id)\n"
        "print(sorted({'numpy', 'pyopencl'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[1] == "[]"


def entry(size, variant, **other):
    fields = {"platform": "pocl", "version": "*", "device": "*"} | other
    return Entry(m=size, n=size, k=size, variant=variant, **fields)


def test_the_nearest_size_is_taken():
    choices = Table((entry(64, "naive"), entry(2048, "portable-4x4")))
    assert choices.best(INFO, 100, 60, 90).id == "naive"
    assert choices.best(INFO, 1400, 1400, 1400).id == "portable-4x4"
    assert choices.best(INFO, 0, 5, 0).id == "naive"


def test_a_platform_that_nothing_is_known_of_gets_what_its_kind_of_device_likes():
    info = INFO | {"platform": "intel"}
    assert Table().best(info, 9, 9, 9).family == "gpu"
    assert Table().best(info | {"type": "gpu"}, 9, 9, 9).family == "gpu"
    assert Table().best(info | {"type": "cpu"}, 9, 9, 9).family == "panels"


def kinds(platform, kind):
    info = {"platform": platform, "type": kind}
    return list(dict.fromkeys(it.family for it in families.fitting(info, 9, 9, 9)))


def test_what_is_offered_is_a_matter_of_the_device():
    assert kinds("nvidia", "gpu") == ["gpu", "portable", "naive"]
    assert kinds("rusticl", "gpu")[:2] == kinds("clover", "gpu")[:2] == ["portable", "gpu"]
    for platform in PLATFORMS:
        assert "gpu" not in kinds(platform, "cpu")
        assert "panels" not in kinds(platform, "gpu")


LIMITS = {"image_width": 4096, "image_height": 16384, "image_buffer_texels": 1 << 20}


@pytest.mark.parametrize(
    ("platform", "m", "n", "k", "fits"),
    [
        ("clover", 512, 512, 16384, True),
        ("clover", 512, 512, 16385, False),
        ("clover", 512, 16384, 512, True),
        ("clover", 512, 16385, 512, False),
        ("clover", 16384, 512, 512, True),
        ("clover", 16385, 512, 512, False),
        ("rusticl", 2048, 256, 2048, True),
        ("rusticl", 2049, 256, 2048, False),
        ("rusticl", 256, 2049, 2048, False),
    ],
)
def test_an_image_that_the_device_cannot_hold_is_left_to_another_variant(platform, m, n, k, fits):
    info = {"platform": platform, "platform_version": "1.1", "device": "llvmpipe (LLVM 15.0.6)"}
    shipped = Table((), table.load().shipped)
    assert shipped.best(info, m, n, k).family.startswith("texel")
    own = shipped.best(info, m, n, k).family
    assert shipped.best(info | LIMITS, m, n, k).family == (own if fits else "portable")


def test_what_was_measured_comes_before_what_is_shipped():
    choices = Table((entry(64, "naive"),), (entry(1024, "portable-4x4"),))
    assert choices.best(INFO, 1024, 1024, 1024).id == "naive"
    assert Table((), choices.shipped).best(INFO, 64, 64, 64).id == "portable-4x4"


@pytest.mark.parametrize(
    "other",
    [
        {"platform": "rusticl"},
        {"version": "OpenCL 2.0*"},
        {"device": "*avx512*"},
        {"sha256": "0" * 64},
        {"variant": "of-another-release"},
    ],
)
def test_a_choice_of_another_device_driver_or_text_is_none(other):
    given = dataclasses.replace(entry(64, "naive"), **other)
    assert Table((given,)).best(INFO, 64, 64, 64) == families.variants("pocl")[0]


def test_a_measured_choice_is_of_this_device_alone():
    made = Entry.of(INFO, (8, 8, 8), families.NAIVE, 1.23456)
    assert made.suits(INFO)
    assert not made.suits(INFO | {"device": "pthread-haswell-CPU (acb)"})
    assert not made.suits(INFO | {"platform_version": "OpenCL 3.0 PoCL 3.1 x"})
    assert Table((made,)).best(INFO, 8, 8, 8) == families.NAIVE


def test_choices_are_kept_and_replaced(tmp_path):
    path = tmp_path / "deep" / "table.json"
    first = Entry.of(INFO, (8, 8, 8), families.NAIVE, 1.0)
    second = Entry.of(INFO, (9, 9, 9), families.NAIVE, 1.0)
    table.save([first, second], path)
    table.save([dataclasses.replace(first, gflops=2.0)], path)
    assert [it.gflops for it in table.load(path).measured] == [2.0, 1.0]
    assert table.load(tmp_path / "none.json").measured == ()


def test_whoever_adds_to_the_table_at_once_loses_nothing(tmp_path, monkeypatch):
    path = tmp_path / "table.json"
    entries = [Entry.of(INFO, (size, 8, 8), families.NAIVE, 1.0) for size in range(1, 9)]
    load = table.load

    def slow(where):
        found = load(where)
        time.sleep(0.005)
        return found

    monkeypatch.setattr(table, "load", slow)
    with concurrent.futures.ThreadPoolExecutor(len(entries)) as pool:
        list(pool.map(lambda it: table.save([it], path), entries))
    assert load(path).measured == tuple(entries)


def test_a_table_that_another_process_holds_is_waited_for_so_long_only(tmp_path, monkeypatch):
    path = tmp_path / "table.json"
    monkeypatch.setattr(table, "_PATIENCE_S", 0.01)
    with (
        filelock.FileLock(path.with_suffix(".lock")),
        pytest.raises(CockpitError, match=r"table\.json: another process has been adding to it"),
    ):
        table.save([], path)


def test_choices_lie_in_the_cache_that_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("COCKPIT_CACHE", str(tmp_path))
    assert table.place() == tmp_path / "gemm" / "table.json"
    monkeypatch.setenv("COCKPIT_CACHE", "caches/here")
    with pytest.raises(CockpitError, match="COCKPIT_CACHE: caches/here is no absolute path"):
        table.load()
    monkeypatch.delenv("COCKPIT_CACHE")
    assert table.place().parts[-3:] == ("pytest-cockpit", "gemm", "table.json")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "not JSON"),
        ("[]", "tune again"),
        ('{"schema": "pytest-cockpit/gemm-table/2", "entries": []}', "/schema"),
        ('{"schema": "pytest-cockpit/gemm-table/1", "entries": [{}]}', "/entries/0"),
    ],
)
def test_a_broken_table_is_refused_with_its_name(tmp_path, content, why):
    path = tmp_path / "table.json"
    path.write_text(content)
    with pytest.raises(CockpitError) as caught:
        table.load(path)
    assert str(path) in str(caught.value)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["schema", "entries", "m", "variant"]), inner)
        ),
        max_leaves=8,
    )
)
@settings(deadline=None, max_examples=40)
def test_any_document_is_a_table_or_one_line(tmp_path_factory, document):
    path = tmp_path_factory.mktemp("table") / "table.json"
    path.write_text(json.dumps(document))
    with pytest.raises(CockpitError) as caught:
        table.load(path)
    assert "\n" not in str(caught.value)


def test_the_shipped_choices_name_variants_that_are_there():
    shipped = table.load().shipped
    assert shipped
    for it in shipped:
        assert it.variant in {known.id for known in families.variants(it.platform)}


pyopencl = pytest.importorskip("pyopencl", reason="pyopencl is not installed (the extra gemm)")

from pytest_cockpit_gates.gemm.kernels import correctness  # noqa: E402
from pytest_cockpit_gates.gemm.kernels.inputs import inputs  # noqa: E402
from pytest_cockpit_gates.gemm.kernels.panels import cut  # noqa: E402

PANELS = [it for it in families.variants("pocl") if it.family == "panels"]


@given(
    st.sampled_from(PANELS),
    st.integers(1, 9000),
    st.integers(1, 9000),
    st.integers(1, 9000),
    st.integers(1, 256),
)
@settings(deadline=None)
def test_a_cut_covers_the_product_evenly(variant, m, n, k, units):
    grid = cut(variant, m, n, k, units)
    given_ = variant.parameters
    assert grid.high * given_["MR"] >= m > (grid.high - 1) * given_["MR"]
    assert 1 <= grid.depth <= given_["KC"]
    assert grid.tall * given_["MR"] <= max(given_["ROWS"], given_["MR"])
    assert grid.broad * given_["VW"] * given_["NV"] <= max(given_["COLS"], 64)
    down = grid.groups // grid.across
    # No row or column of groups, and no block, is empty.
    assert (down - 1) * grid.tall < grid.high <= down * grid.tall
    assert (grid.across - 1) * grid.broad < grid.wide <= grid.across * grid.broad


def test_inputs_are_the_same_for_the_same_seed_and_lie_between_the_ones():
    one, other = inputs(5, 7, 3, 11), inputs(5, 7, 3, 11)
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert not np.array_equal(one[0], inputs(5, 7, 3, 12)[0])
    assert [it.shape for it in one] == [(5, 3), (3, 7)]
    assert all(it.dtype == np.float32 and np.abs(it).max() <= 1 for it in one)


def product(m, n, k):
    a, b = inputs(m, n, k, 3)
    return a, b, (a @ b)


@pytest.mark.parametrize("shape", [(9, 8, 7), (1, 1, 1), (600, 500, 700), (5, 4, 2500)])
def test_what_rounding_explains_is_right(shape):
    a, b, c = product(*shape)
    found = correctness.judge(c, a, b)
    assert found.ok
    assert found.finite
    assert 0 <= found.max_error <= found.bound


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("shape", [(9, 8, 7), (600, 500, 700)])
def test_one_value_that_is_not_finite_is_wrong_wherever_it_lies(shape, value):
    a, b, c = product(*shape)
    c[shape[0] // 2 + 1, shape[1] // 3] = value
    found = correctness.judge(c, a, b)
    assert (found.ok, found.finite, found.max_error) == (False, False, math.inf)
    assert math.isfinite(found.bound)


def test_one_wrong_element_is_wrong_though_another_may_be_off_by_more():
    a, b, c = product(9, 8, 700)
    a[0] = 0
    c[0] = 0
    assert correctness.judge(c, a, b).ok
    c[0, 0] = 1e-6
    found = correctness.judge(c, a, b)
    assert not found.ok
    assert found.max_error > found.bound


def test_a_result_that_does_not_show_what_went_in_is_wrong():
    a, b, c = product(9, 8, 7)
    a[0, 0] = math.nan
    assert not correctness.judge(c, a, b).ok


def test_alpha_beta_and_what_was_there_count():
    a, b, _ = product(9, 8, 7)
    before = np.ones((9, 8), np.float32)
    c = (np.float32(0.5) * (a @ b) - np.float32(2) * before).astype(np.float32)
    assert correctness.judge(c, a, b, alpha=0.5, beta=-2.0, before=before).ok
    assert not correctness.judge(c, a, b, alpha=0.5).ok
    assert not correctness.judge(c, a, b, beta=-2.0, before=before).ok


def test_nothing_is_right():
    a, b, c = product(0, 5, 3)
    assert correctness.judge(c, a, b).ok
    a, b, c = product(3, 5, 0)
    assert correctness.judge(c, a, b).ok
    assert not correctness.judge(c + np.float32(1), a, b).ok
