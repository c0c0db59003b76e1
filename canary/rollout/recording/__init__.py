"""What was shown, kept: Snapshots → bytes and back, with the time at which each was known.

In: a `Frame` at a time, as the screen had it. Out: segments of a key frame and what changed after
it, and the samples apart from them, each version once. Doors: `writer` (frames → parts to be kept),
`player` (parts → the frame at a moment), `frames`.
"""
