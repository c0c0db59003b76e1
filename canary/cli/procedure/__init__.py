"""The steps around a move: load test, A/B test, monitoring, checklist, alert policies, retirement.

In: the plan, and a job of `engine.jobs` that does the work. Out: progress on standard error, the
result as text or JSON, and the file that the next gate reads. Door: each command in its file.
"""
