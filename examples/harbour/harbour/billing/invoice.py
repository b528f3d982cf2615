"""The bill of one call."""

from dataclasses import dataclass, field

from candidate.customs.duty import duty_on
from harbour.billing.tariff import frequent_caller, harbour_dues
from harbour.cargo import Manifest
from harbour.money import formatted
from harbour.vessel import Vessel


@dataclass
class Invoice:
    """Lines of text and cents, in the order they were earned."""

    vessel: Vessel
    lines: list[tuple[str, int]] = field(default_factory=list)

    def add(self, text: str, amount: int) -> None:
        """One more line; what costs nothing is not mentioned."""
        if amount:
            self.lines.append((text, amount))

    @property
    def total(self) -> int:
        """Cents to pay."""
        return sum(amount for _, amount in self.lines)

    def __str__(self) -> str:
        rows = [*self.lines, ("Total", self.total)]
        return "\n".join(f"{text:<24}{formatted(amount):>14}" for text, amount in rows)


def bill(vessel: Vessel, manifest: Manifest, values: dict[str, int], calls: int = 0) -> Invoice:
    """Dues of the ship and duty on its cargo; `values` are cents for each commodity code."""
    invoice = Invoice(vessel)
    invoice.add("Harbour dues", frequent_caller(harbour_dues(vessel), calls))
    for code in sorted({container.contents for container in manifest if container.contents}):
        invoice.add(f"Duty on {code}", duty_on(code, values.get(code, 0)))
    return invoice
