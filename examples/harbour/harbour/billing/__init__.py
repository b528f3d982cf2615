"""What a call costs."""

from harbour.billing.invoice import Invoice, bill
from harbour.billing.tariff import harbour_dues

__all__ = ["Invoice", "bill", "harbour_dues"]
