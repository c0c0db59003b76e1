"""The embedded cloud from outside: a process to start or join, held by a lease, told what to play.

In comes a plan with provider "local"; out goes an EmbeddedCloud with its endpoints and its clock.
Its doors are `embedded.open_embedded` and, to begin it early, `process.begin_embedded`.
"""
