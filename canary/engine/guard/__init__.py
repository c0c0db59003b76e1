"""Automatic rollback: counts down where all can see it, and acts by the one path of all changes.

In: snapshots, the journal (what it has done before), who armed it. Out: a `Change` handed to
`submit`, lines of the event log, notifications. Door: `command.guard` for `canary guard`,
`supervisor.GuardSupervisor` for the console; `guard.AutomaticRollback` is what both rest on.
"""
