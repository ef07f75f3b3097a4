"""Streamed answers as values: bytes to events, when to wait no longer, and how a broken one goes on. No I/O."""
