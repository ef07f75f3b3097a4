"""The caller's request: what of it is looked at, and what another model is sent in its place. No I/O."""
