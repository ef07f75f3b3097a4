"""Bulkheads: limits on how many attempts are out at once, for threads and event loops together."""

from .bulkheads import Bulkheads
from .limit import Limit
from .turn import Place, Ticket
from .waiting import wait, wait_async

__all__ = ["Bulkheads", "Limit", "Place", "Ticket", "wait", "wait_async"]
