"""What the middleware costs and what it saves, measured: `python -m benchmarks.overhead`."""
