"""From what the sources say to one frozen `Snapshot` at a time.

In: readers of Cloud Run, Monitoring and the request log, the journal, the history, a clock. Out: a
Snapshot for each subscriber, and lines of the event log when something turns. Each source has a
feed that fails on its own; `assemble` and what it calls are pure. Door: `poll_loop.PollLoop` (when
what is asked), `observer.Observer` (what is known), `event_log`; `journal_view` tells of a change.
"""
