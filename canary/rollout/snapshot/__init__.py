"""Everything that is known at one moment, frozen, and the status contract made of it.

In: what the engine observed, judged by `decision` and `evidence`. Out: `snapshot.Snapshot`, which
screen, shell and guard read alike, and `status.status_document`, the stable JSON of
`canary status --json`.
"""
