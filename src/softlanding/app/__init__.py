"""Settings in, running services out: the only place that picks real parts.

`serve` runs one service, `up` the whole system on one machine. They are not imported here: `up` stays small, so that
the supervisor does.
"""
