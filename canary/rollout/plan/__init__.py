"""The plan of a rollout, and reading canary.toml into it.

In: the text of a file, and the names that others own (keys, scenarios). Out: one frozen `Plan`, or
a PlanError with the sentence for a person. Doors: `file.load_plan` and `file.parse_plan`, the types
in `plan` and `tables`. What a value may be stands in its type; `mistakes` says what is wrong with
keys, types and ranges, `rules` what is wrong between values.
"""
