"""Ships, as far as a harbour cares about them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Vessel:
    """A ship with its dimensions in metres."""

    name: str
    imo: int
    length: float
    beam: float
    draught: float
    gross_tonnage: int

    def __post_init__(self) -> None:
        if not valid_imo(self.imo):
            raise ValueError(f"{self.name}: {self.imo} is no IMO number")

    @property
    def block_volume(self) -> float:
        """Volume of the box around the submerged hull, in cubic metres."""
        return self.length * self.beam * self.draught


def valid_imo(number: int) -> bool:
    """Whether the last of seven digits is the weighted sum of the first six."""
    digits = [int(digit) for digit in str(number)]
    if len(digits) != 7:
        return False
    weighted = sum(
        digit * weight for digit, weight in zip(digits[:6], range(7, 1, -1), strict=True)
    )
    return weighted % 10 == digits[-1]
