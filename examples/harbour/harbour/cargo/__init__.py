"""What ships carry."""

from harbour.cargo.container import Container, check_digit
from harbour.cargo.manifest import Manifest

__all__ = ["Container", "Manifest", "check_digit"]
