"""Which OpenCL platform a process sees, what it runs on, and where drivers keep what they compile."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_cockpit.api import CockpitError
from pytest_cockpit_gates.gemm.workers import caches, machine, platforms


@pytest.fixture
def vendors(tmp_path, monkeypatch):
    """ICD files of platforms that are asked nothing of their driver."""
    folder = tmp_path / "vendors"
    folder.mkdir()
    for known in platforms.KNOWN.values():
        (folder / f"{known.icd}.icd").write_text("libnothing.so.1\n")
    monkeypatch.setenv("OCL_ICD_VENDORS", str(folder))
    return folder


class TestPlatforms:
    def test_a_platform_that_is_there(self, vendors):
        assert [platforms.missing(name) for name in platforms.KNOWN] == [None] * 3

    @pytest.mark.parametrize(
        ("name", "file", "package"),
        [
            ("pocl", "pocl.icd", "pocl-opencl-icd"),
            ("rusticl", "rusticl.icd", "mesa-opencl-icd"),
            ("clover", "mesa.icd", "mesa-opencl-icd"),
        ],
    )
    def test_what_is_missing_is_named_with_what_installs_it(self, vendors, name, file, package):
        (vendors / file).unlink()
        why = platforms.missing(name)
        assert why is not None
        assert why.startswith(f"{name}: no {file} in {vendors}; ")
        assert f"apt-get install ocl-icd-libopencl1 {package}" in why

    def test_any_other_platform_goes_by_its_file(self, vendors):
        assert "nvidia.icd" in str(platforms.missing("nvidia"))
        (vendors / "nvidia.icd").write_text("libnvidia-opencl.so.1\n")
        assert platforms.missing("nvidia") is None

    def test_the_loader_may_have_been_told_of_one_file(self, vendors, monkeypatch, tmp_path):
        monkeypatch.setenv("OCL_ICD_VENDORS", str(vendors / "mesa.icd"))
        assert platforms.missing("clover") is None
        assert "no pocl.icd" in str(platforms.missing("pocl"))
        found = platforms.environment("clover", tmp_path)
        assert found["OCL_ICD_VENDORS"] == str(vendors / "mesa.icd")

    def test_a_folder_named_from_here_is_found_from_elsewhere(self, vendors, monkeypatch, tmp_path):
        monkeypatch.chdir(vendors.parent)
        monkeypatch.setenv("OCL_ICD_VENDORS", "vendors")
        found = platforms.environment("pocl", tmp_path)
        assert found["OCL_ICD_VENDORS"] == str(vendors / "pocl.icd")

    @pytest.mark.parametrize("name", ["", "../mesa", "a/b", ".hidden", "a\nb", "ü", "x" * 99])
    def test_what_cannot_be_a_platform_is_refused(self, name):
        with pytest.raises(CockpitError, match="is no platform; take pocl, rusticl, clover, or"):
            platforms.missing(name)

    def test_each_platform_is_seen_alone(self, vendors, tmp_path, monkeypatch):
        for name in ("RUSTICL_ENABLE", "LP_CL", "OCL_ICD_FILENAMES"):
            monkeypatch.delenv(name, raising=False)
        seen = {name: platforms.environment(name, tmp_path) for name in platforms.KNOWN}
        assert {name: Path(it["OCL_ICD_VENDORS"]).name for name, it in seen.items()} == {
            "pocl": "pocl.icd",
            "rusticl": "rusticl.icd",
            "clover": "mesa.icd",
        }
        assert seen["rusticl"]["RUSTICL_ENABLE"] == "llvmpipe"
        assert seen["clover"]["LP_CL"] == "1"
        assert "LP_CL" not in seen["pocl"]
        assert {it["OPENBLAS_NUM_THREADS"] for it in seen.values()} == {"1"}

    def test_the_driver_of_a_graphics_card_may_be_named(self, vendors, tmp_path, monkeypatch):
        monkeypatch.setenv("RUSTICL_ENABLE", "radeonsi")
        assert platforms.environment("rusticl", tmp_path)["RUSTICL_ENABLE"] == "radeonsi"

    def test_nothing_that_is_secret_or_in_the_way_reaches_a_driver(
        self, vendors, tmp_path, monkeypatch
    ):
        unwanted = ("GITHUB_TOKEN", "PYTEST_ADDOPTS", "GIT_DIR", "MESA_SHADER_CACHE_DISABLE")
        for name in (*unwanted, "OCL_ICD_FILENAMES"):
            monkeypatch.setenv(name, "1")
        assert not platforms.environment("pocl", tmp_path).keys() & {*unwanted, "OCL_ICD_FILENAMES"}


class TestMachine:
    def test_what_it_is_made_of(self, tmp_path):
        (tmp_path / "cpuinfo").write_text("processor: 0\nmodel name\t: A  Fast\x07 CPU\n")
        found = machine.facts(tmp_path / "cpuinfo")
        assert found["cpu"] == "A Fast\\x07 CPU"
        assert found["cores"] >= 1
        other = machine.facts(tmp_path / "nothing")
        assert other["fingerprint"] != found["fingerprint"]
        assert machine.facts(tmp_path / "cpuinfo") == found

    def test_memory_that_can_be_had(self, tmp_path):
        (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:   20480 kB\n")
        assert machine.available_mib(tmp_path / "meminfo") == 20
        assert machine.available_mib(tmp_path / "nothing") is None

    def test_versions_and_variables_of_drivers(self, monkeypatch):
        monkeypatch.setenv("POCL_MAX_PTHREAD_COUNT", "1")
        monkeypatch.setenv("OCL_ICD_VENDORS", "/home/somebody/vendors/pocl.icd")
        found = machine.software()
        assert found["pytest-cockpit"]
        assert found["variables"]["POCL_MAX_PTHREAD_COUNT"] == "1"
        assert found["variables"]["OCL_ICD_VENDORS"] == "pocl.icd"
        assert "HOME" not in found["variables"]
        assert machine._version("no-such-package") is None


class TestCaches:
    def test_compiled_kernels_are_kept_where_the_user_alone_can_write(self, tmp_path, monkeypatch):
        monkeypatch.setenv(caches.VARIABLE, str(tmp_path / "cache"))
        found = caches.folder("mesa", tmp_path / "scratch")
        assert found == tmp_path / "cache" / "gemm" / "mesa"
        assert found.stat().st_mode & 0o777 == 0o700
        found.chmod(0o777)
        assert caches.folder("mesa", tmp_path).stat().st_mode & 0o777 == 0o700

    def test_without_the_variable_it_is_the_users_cache(self, tmp_path, monkeypatch):
        monkeypatch.delenv(caches.VARIABLE)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        monkeypatch.setenv("HOME", str(tmp_path))
        found = caches.folder("pocl", tmp_path / "scratch")
        assert found.parts[-3:] == ("pytest-cockpit", "gemm", "pocl")
        assert found.is_relative_to(tmp_path)

    @pytest.mark.parametrize("what", ["file", "link", "relative"])
    def test_where_that_cannot_be_used_it_is_the_scratch_folder(self, tmp_path, monkeypatch, what):
        base = tmp_path / "cache"
        match what:
            case "file":
                base.write_text("")
            case "link":
                (base / "gemm").mkdir(parents=True)
                (tmp_path / "elsewhere").mkdir()
                (base / "gemm" / "mesa").symlink_to(tmp_path / "elsewhere")
        monkeypatch.setenv(caches.VARIABLE, "cache" if what == "relative" else str(base))
        found = caches.folder("mesa", tmp_path / "scratch")
        assert found == tmp_path / "scratch" / "caches" / "mesa"
        assert found.is_dir()
