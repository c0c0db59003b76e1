"""Prometheus as the source of requests and latency: counters and histograms, not percentiles.

In come a plan and an interval; out goes a Reading, as `cloud.monitoring` gives it: samples oldest
first, gaps left gaps, failures beside them. Its door is `reader.PrometheusReader`.
What is asked are cumulative counters, instance by instance, and what happened in a minute is the
difference of two of them, taken here (`counters`): the server's `increase()` loses the first value
of a new series, which is just what Canary's first errors are.
"""
