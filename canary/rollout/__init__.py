"""What is true of any rollout: pure values and functions, handed `now`, without I/O.

In: the plan's text, what was measured, the record. Out: frozen values: a verdict, gates, a permit,
a Change, a Snapshot, documents. Rooms, each using only those before it: plan · measure · change ·
evidence · decision · snapshot · permit · export · trials; `errors` is the tree of all mistakes, and
`text` turns values into words and makes text from outside harmless.
"""
