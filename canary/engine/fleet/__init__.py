"""Watching many rollouts: what is read for all of them at once, and each one's observer on it.

In come plans, and projects to look for rollouts in; out go rows. Nothing is changed from here: a
change happens inside one rollout, by the usual way. Doors: `fleet.open_fleet`, `found`.
"""
