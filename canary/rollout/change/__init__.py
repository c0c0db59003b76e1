"""Changes as data: what is to become true, from what, why, and where it may go from there. Pure.

In: where the rollout stands (`change.Standing`), what somebody asks for (`change.Request`), the
plan. Out: a `change.Change` of steps with their guards; whoever carries it out goes by `life`.

- `moves` makes changes: promote, roll back, adopt, revert, scale (retirement: `rollout.trials`).
- `life` is the table of states and events that every change lives by.
- `stage_record` and `history_entries` are what rides on the service with each change of the split.
- `text` says changes and steps in words, for everybody.

Whether a change is permitted is `rollout.permit`.
"""
