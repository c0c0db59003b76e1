"""What observes a rollout and changes it, without a screen.

In: a plan (canary.toml), this host's files, the cloud's answers, and what a person confirms. Out: a
frozen `Snapshot` whenever something is different, and an `Outcome` for each change. `observe` turns
what sources say into snapshots, `change` carries changes out, `guard` rolls back by itself, `jobs`
holds what a person starts beside it, `console` is the screen's side. Door: `session` (a plan,
opened), `clients` (its cloud, for whoever needs no more), `notify`, `person`, `signals`.
"""
