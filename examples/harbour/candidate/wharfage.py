"""What goods pay for crossing the quay; also the command `wharfage`."""

import argparse
from collections.abc import Sequence

from harbour.cargo import Manifest
from harbour.money import formatted

CENTS_PER_TON = 310
FREE_DAYS = 3
STORAGE_PER_TEU_AND_DAY = 1_250


def wharfage(manifest: Manifest, days: int = 0) -> int:
    """Cents for the goods, and for boxes that stay too long."""
    tons = -(-manifest.gross // 1000)
    late = max(0, days - FREE_DAYS)
    return tons * CENTS_PER_TON + round(late * manifest.teu * STORAGE_PER_TEU_AND_DAY)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what a number of tons pays."""
    parser = argparse.ArgumentParser(prog="wharfage")
    parser.add_argument("tons", type=int)
    tons = parser.parse_args(arguments).tons
    print(formatted(tons * CENTS_PER_TON))
    return 0
