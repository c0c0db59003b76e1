"""Many rollouts in one list: a row for each, the worst first, and what the whole list comes to.

In: snapshots with their plans, or why there is none. Out: `FleetRow`s in order, filtered and
grouped. Pure. Doors: `rows`, `order`, `words`.
"""
