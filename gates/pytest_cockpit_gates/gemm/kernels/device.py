"""An OpenCL device, opened: its context, its queue, what was built for it, and what it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyopencl as cl

from pytest_cockpit.api import CockpitError
from pytest_cockpit_gates.gemm.kernels import binaries
from pytest_cockpit_gates.gemm.workers import platforms

if TYPE_CHECKING:
    from pytest_cockpit_gates.gemm.kernels.variants import Variant

_SHOWN_LOG = 300
_DIGITS = 16


class Device:
    """One device of one platform, with its queue and all programs built for it.

    Parameters
    ----------
    platform: the selector it was opened by.
    handle: pyopencl's device.
    """

    def __init__(self, platform: str, handle: Any) -> None:
        self.platform = platform
        self.handle = handle
        self.context = cl.Context([handle])
        self.queue = cl.CommandQueue(self.context)
        self.info = describe(platform, handle)
        self._programs: dict[tuple[str, str], Any] = {}

    def program(self, text: str, options: Sequence[str] = ()) -> Any:
        """The program of an OpenCL text, built once for each set of options.

        Raises
        ------
        CockpitError: the driver cannot build it; its log is named.
        """
        options = ("-w", *options)  # PoCL counts the warnings of a kernel on stderr
        key = (text, " ".join(options))
        if key not in self._programs:
            try:
                self._programs[key] = binaries.build(
                    self.context, self.handle, self.info["fingerprint"], text, options
                )
            except cl.Error as error:
                log = " ".join(str(error).split())[:_SHOWN_LOG]
                raise CockpitError(
                    f"gemm: {self.info['platform_name']} cannot build a kernel: {log}"
                ) from error
        return self._programs[key]

    def built(self, variant: Variant, options: Sequence[str] = ()) -> Any:
        """The program of a variant."""
        return self.program(variant.text(), options)

    @property
    def is_gpu(self) -> bool:
        """Whether its memory is not the host's."""
        return bool(self.info["type"] == "gpu")


def open_device(platform: str) -> Device:
    """The first device of the platform that `platform` selects, among those this process sees.

    Raises
    ------
    CockpitError: the platform or its device is not there.
    """
    known = platforms.KNOWN.get(platform)
    wanted = (known.calls_itself if known else platform).casefold()
    try:
        there = cl.get_platforms()
    except cl.Error:
        there = []  # the loader's word for "no platform at all"
    named = [it for it in there if wanted in it.name.casefold()]
    # A platform that is selected by its ICD file may call itself by any name.
    if not named and known is None and len(there) == 1:
        named = there
    for candidate in named:
        try:
            return Device(platform, candidate.get_devices()[0])
        except (cl.Error, IndexError):
            continue
    seen = ", ".join(it.name for it in there) or "none"
    what = "no device" if named else f"no such OpenCL platform (there: {seen})"
    raise CockpitError(
        f"gemm: {platform}: {what}; install its driver and name its .icd file in OCL_ICD_VENDORS"
    )


def describe(platform: str, handle: Any) -> dict[str, Any]:
    """What a device is, as JSON; `fingerprint` is a digest of all that tells two devices apart."""
    facts = {
        "platform_name": handle.platform.name.strip(),
        "platform_version": handle.platform.version.strip(),
        "device": handle.name.strip(),
        "driver": handle.driver_version.strip(),
        "opencl_c": handle.opencl_c_version.strip(),
        "compute_units": int(handle.max_compute_units),
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return {
        "platform": platform,
        **facts,
        "type": "gpu" if handle.type & cl.device_type.GPU else "cpu",
        # Drivers on the CPU give what is free just now, which is no property of the device.
        "global_mem_bytes": int(handle.global_mem_size),
        "image_width": _most(handle, "image2d_max_width"),
        "image_height": _most(handle, "image2d_max_height"),
        "image_buffer_texels": _most(handle, "image_max_buffer_size"),
        "fingerprint": digest[:_DIGITS],
    }


def _most(handle: Any, limit: str) -> int:
    """A limit of a device; 0 where its version of OpenCL knows no such thing."""
    try:
        return int(getattr(handle, limit))
    except (AttributeError, cl.Error):
        return 0


@contextmanager
def refusals(device: Device, what: str) -> Iterator[None]:
    """Turn a driver's refusal, of memory or of anything, into one line that says of what."""
    try:
        yield
    except (MemoryError, cl.MemoryError) as error:
        raise out_of_memory(device, what) from error
    except cl.Error as error:
        if getattr(error, "code", None) == cl.status_code.INVALID_BUFFER_SIZE:
            raise out_of_memory(device, what) from error
        said = " ".join(str(error).split())[:_SHOWN_LOG]
        raise CockpitError(
            f"gemm: {device.platform}: the driver refused {what} ({said});"
            " take another variant, size or driver"
        ) from error


def out_of_memory(device: Device, what: str) -> CockpitError:
    """The expected error where a device has too little memory for `what`."""
    have = device.info["global_mem_bytes"] >> 20
    return CockpitError(
        f"gemm: {device.platform}: no memory for {what} ({have} MiB in all); take a smaller size"
    )
