"""Amounts in cents, so that adding them never loses one."""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal


def cents(amount: str | Decimal) -> int:
    """Cents of an amount, rounded half to even."""
    return int((Decimal(amount) * 100).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def percent(amount: int, rate: str) -> int:
    """`rate` percent of an amount of cents."""
    return cents(Decimal(amount) * Decimal(rate) / 10_000)


def shares(amount: int, weights: Iterable[int]) -> list[int]:
    """An amount split by weight; the cents left over go to the largest remainders."""
    parts = list(weights)
    total = sum(parts)
    if total <= 0:
        raise ValueError("weights must add up to more than nothing")
    exact = [divmod(amount * part, total) for part in parts]
    result = [share for share, _ in exact]
    by_remainder = sorted(range(len(parts)), key=lambda index: (-exact[index][1], index))
    for index in by_remainder[: amount - sum(result)]:
        result[index] += 1
    return result


def formatted(amount: int) -> str:
    """`1,234.50`."""
    sign = "-" if amount < 0 else ""
    return f"{sign}{abs(amount) // 100:,}.{abs(amount) % 100:02}"
