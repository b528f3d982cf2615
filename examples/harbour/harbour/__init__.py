"""Port logistics: what is in the harbour, what it carries and what it owes."""

__version__ = "1.4.0"
