"""Commodity codes of the Harmonized System."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Code:
    """Six digits: chapter, heading, subheading."""

    digits: str

    @classmethod
    def parse(cls, text: str) -> "Code":
        """Read `0803.90` or `080390`."""
        digits = text.replace(".", "")
        if len(digits) != 6 or not digits.isdigit():
            raise ValueError(f"{text!r} is no commodity code: six digits expected")
        if not 1 <= int(digits[:2]) <= 97:
            raise ValueError(f"{text!r}: there is no chapter {digits[:2]}")
        return cls(digits)

    @property
    def chapter(self) -> str:
        """First two digits."""
        return self.digits[:2]

    @property
    def heading(self) -> str:
        """First four digits."""
        return self.digits[:4]

    def within(self, prefix: str) -> bool:
        """Whether it falls under a chapter or heading."""
        return self.digits.startswith(prefix)

    def __str__(self) -> str:
        return f"{self.heading}.{self.digits[4:]}"
