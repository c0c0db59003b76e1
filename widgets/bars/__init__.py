"""The lines around the panels: header, stages, verdict, readiness, outcome, the strip, the keys.

In: a snapshot and what runs. Out: one or a few rows each, the most important first where room is
short; the strip's answer as a message.
Door: one widget class a line, and the `…_runs` that panels and pages say the same words with.
"""
