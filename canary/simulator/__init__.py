"""The embedded cloud: a process on loopback that speaks the real protocols of a small Google Cloud.

It imports nothing of the product and is imported by nobody: `python -m canary.simulator '<json>'`
with a `config.Config`; one line on stdout says where it listens (`control.ownership.Ready`).
Rooms, each using only those before it: wire · world · api · control.
"""
