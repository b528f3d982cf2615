"""What a call costs."""

from harbour.billing.invoice import Invoice
from harbour.billing.tariff import harbour_dues

__all__ = ["Invoice", "harbour_dues"]
