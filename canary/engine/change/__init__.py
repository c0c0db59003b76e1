"""From a Change to its Outcome: the one path that alters the cloud.

In: a `Change` (data, made by `rollout.change`), the journal, the cloud's writer and reader. Out: an
`Outcome`, in the journal and in words. Where a change may go is `rollout.change.life`.

The door is `executor.Executor`; it is run by a process of its own (`executor_process`), by a shell
command that waits (`in_process`), and by `canary guard`. `execute` is what it does for one change,
with `observed_state` (what a service shows, whether a step may still go out), `settling` (looking
up until it is certain), `notes` (what stays on this host) and `outcomes` (how it is said).
`recovery` is for a person, where the end of a change is not known. `dry_run` says beforehand what
would change, and what to type instead.
"""
