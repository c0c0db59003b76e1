"""Changing the rollout: look, permit, ask, write the intent, carry out, say the outcome, verify.

In: what builds a change (`run_change`'s Build), and how it is to be made (options.ChangeOptions).
Out: the outcome as an exit code (`text.EXITS`). Door: `run_change.run_change`; `text` says a change
in words to other rooms; `moves`, `guard`, `recover` and `verify` are commands.
"""
