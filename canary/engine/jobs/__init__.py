"""What a person starts beside observing: verification, load test, A/B test, monitoring loop,
checklists, alert policies, the look-up of a retirement. One file for each job.

In: a connected session, and what was chosen. Out: a result of `rollout.trials`, and its file
beside canary.toml for the gates. Door: for the shell the functions of each file; for the console
`engine.console.background_jobs`, which runs each `Job` in the engine's loop.
"""
