"""Containers and their numbers (ISO 6346)."""

import string
from dataclasses import dataclass

_LETTER_VALUES = dict(
    zip(string.ascii_uppercase, (value for value in range(10, 39) if value % 11), strict=True)
)


def check_digit(code: str) -> int:
    """Check digit of a four-letter owner code followed by six digits."""
    values = [_LETTER_VALUES[sign] if sign.isalpha() else int(sign) for sign in code]
    if len(values) != 10:
        raise ValueError(f"{code!r}: four letters and six digits expected")
    return sum(value << position for position, value in enumerate(values)) % 11 % 10


@dataclass(frozen=True)
class Container:
    """A box: its full number, size in feet, tare and load in kilograms."""

    number: str
    feet: int = 40
    tare: int = 3_800
    load: int = 0
    contents: str = ""

    def __post_init__(self) -> None:
        if check_digit(self.number[:10]) != int(self.number[10:]):
            raise ValueError(f"{self.number}: wrong check digit")

    @property
    def gross(self) -> int:
        """Weight on the hook."""
        return self.tare + self.load

    @property
    def teu(self) -> float:
        """Twenty-foot equivalent units."""
        return self.feet / 20
