"""An opened device, what is kept on it between questions, and the operations themselves."""

from __future__ import annotations

from typing import Any

from pytest_cockpit_gates.gemm.kernels import table, tuning
from pytest_cockpit_gates.gemm.kernels.device import open_device
from pytest_cockpit_gates.gemm.workers.ops import Say
from pytest_cockpit_gates.gemm.workers.products import Product, Shape, choose

_KEPT = 2


class Bench:
    """The device of a worker.

    Parameters
    ----------
    poisoned: put a NaN into each result of the operation that comes.

    Raises
    ------
    CockpitError: the platform or its device is not there.
    """

    def __init__(self, platform: str) -> None:
        self._device = open_device(platform)
        self.info = self._device.info
        self.poisoned = False
        self._products: dict[tuple[Any, ...], Product] = {}

    def do_smoke(self, size: int = 128, seed: int = 1) -> dict[str, Any]:
        """Launch the static kernel and see that it is right."""
        product = self._product("static", Shape(size, size, size, seed))
        try:
            timing = product.run()
            found = product.verdict()
            times = {"wall_s": timing.wall_s, "cpu_s": timing.cpu_s}
            return {**found, "bound": found["error_bound"], **times}
        finally:
            product.free()

    def do_session(
        self,
        kernel: str,
        m: int,
        n: int,
        k: int,
        seed: int,
        iterations: int,
        alpha: float = 1.0,
        beta: float = 0.0,
        t3_policy: dict[str, Any] | None = None,
        t5_policy: dict[str, Any] | None = None,
        variant: str = "",
    ) -> dict[str, Any]:
        """Some iterations of one kernel, after one that warms up."""
        product = self._product(kernel, Shape(m, n, k, seed, alpha, beta), variant)
        try:
            product.run()
            timings = [product.run() for _ in range(iterations)]
            return {
                "wall_s": [it.wall_s for it in timings],
                "cpu_s": [it.cpu_s for it in timings],
                **product.verdict(),
                "t3": None,
                "t5": None,
            }
        finally:
            product.free()

    def do_sample(
        self, size: int, seed: int, kernel: str = "static", variant: str = ""
    ) -> dict[str, Any]:
        """One multiplication on operands that are kept: the first one warms up and is judged."""
        key = (size, seed, kernel, variant, self.poisoned)
        product = self._products.pop(key, None)
        if product is None:
            while len(self._products) >= _KEPT:
                self._products.pop(next(iter(self._products))).free()
            product = self._product(kernel, Shape(size, size, size, seed), variant)
            product.run()
        self._products[key] = product
        timing = product.run()
        return {"wall_s": timing.wall_s, "cpu_s": timing.cpu_s, **product.verdict()}

    def do_pressure(self, size: int, iterations: int, seed: int) -> dict[str, Any]:
        """Multiplications for their load's sake, each of them judged all the same."""
        return self.do_session("static", size, size, size, seed, iterations)

    def do_tune(self, say: Say, sizes: list[int]) -> dict[str, Any]:
        """Measure the variants at each size, and keep the choices for later runs."""
        entries = tuning.tune(self._device, sizes, say)
        table.save(entries)
        known = [(it.m, it.variant, it.sha256, it.gflops) for it in entries]
        keys = ("size", "variant", "source_sha256", "gflops")
        return {"entries": [dict(zip(keys, it, strict=True)) for it in known]}

    def _product(self, kernel: str, shape: Shape, variant: str = "") -> Product:
        chosen = choose(self._device, table.load(), kernel, shape, variant)
        return Product(self._device, chosen, shape, poisoned=self.poisoned)
