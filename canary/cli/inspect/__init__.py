"""Commands that only look: status, health, evidence, validate, log, report, export.

In: a snapshot of now, this host's journal, monitor files. Out: text, JSON, a file; nothing in the
cloud is changed. Door: each command in its file; `status.gate_rows` draws gates for all.
"""
