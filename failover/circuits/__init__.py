"""Circuit breakers: windows, permits and transitions of our own; state, listeners and storage kept by pybreaker."""

from .board import Board
from .breaker import Breaker
from .incidents import Incidents
from .permit import BreakerPermit

__all__ = ["Board", "Breaker", "BreakerPermit", "Incidents"]
