"""The screen's side of the engine: a thread with a loop of its own, which no terminal can stall.

In: a plan, and wishes from any thread. Out: snapshots, errors as sentences, the state of the jobs,
all through callbacks; changes go into the journal and to the executor's process. Door:
`console.ConsoleEngine`; nobody else needs the rest.
"""
