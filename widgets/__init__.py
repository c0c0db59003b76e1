"""What is seen: each widget draws what it is handed, on cells, and fetches nothing.

In: a snapshot, the plan, the time, assigned to `bound` attributes. Out: the cells that changed.
`plots` know no other room; `bars` are built on them, `panels` and `pages` on both.
"""
