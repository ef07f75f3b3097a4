"""What a request becomes for another model, and why it cannot go there: one small rule for each field."""

from .draft import Destination, Draft
from .rules import fitted

__all__ = ["Destination", "Draft", "fitted"]
