"""`failover demo`: an outage of one model, seen by a client with failover and by one without, at the same time.

`script` says what will happen, `drive` makes it happen, `tally` counts it, `story` puts it into words, `live` and
`summary` show it; `streams` adds what an overload does to a stream. All times are scenario seconds unless a name says
otherwise; `compression` makes them short.
"""

__all__: list[str] = []
