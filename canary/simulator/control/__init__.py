"""The process: from its configuration to the readiness line, and to its end with the last lease.

In: a Config (`lifecycle.run`), and the control side's calls under /_cloud/: clock, scenarios,
faults, leases, state. Out: an exit code, and servers of both protocols while it lives.
"""
