"""What the API refuses, in parts: the models it knows, what each takes, and what holds for every conversation.

It is written from the API's documentation alone. It must not import the rules by which `failover` fits a request to
a model: the two can only find each other's mistakes as long as neither knows the other.
"""

from __future__ import annotations

from .binding import signature
from .conversation import conversation_violations
from .fields import field_violations
from .models import MODELS, KnownModel, known_model
from .size import prompt_tokens
from .violation import Violation

__all__ = [
    "MODELS",
    "KnownModel",
    "Violation",
    "conversation_violations",
    "field_violations",
    "known_model",
    "prompt_tokens",
    "signature",
]
