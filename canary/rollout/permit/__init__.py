"""Whether a change may be made, and what it says of itself.

In: a `Change` or its kind, and a `Snapshot`. Out: nothing or the refusal (`permit.authorize`,
`permit.why_not`), the cause that automatic rollback may act on (`permit.find_cause`), and the
sentences and numbers that a confirmation shows and a commit keeps (`approval`).
"""
