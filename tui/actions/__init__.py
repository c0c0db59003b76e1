"""What the keys do: from a wish to a question in the strip, and to the engine once it is confirmed.

In: an action's name and the `Context` (screen, engine, the change that waits). Out: pages opened,
words in the talk rows, changes and requests handed to the engine.
Door: `context.Context`, and the groups `look`, `jobs`, `safety`; `changes`, `questions` are pure.
"""
