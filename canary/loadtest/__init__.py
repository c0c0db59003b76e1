"""The load test's process: Locust's users against the router, told line by line in JSON.

Started as `python -m canary.loadtest '<json>'`, and never imported by the rest: Locust replaces
parts of the standard library (gevent) for the whole process that imports it. It stands alone, as
the embedded cloud does; what it is told and what it says is described in `load` and `runner`.
"""
