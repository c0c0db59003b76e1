"""Cloud Run's request log, tailed: the only source that is seconds old.

In come log entries of both sides; out go EvidenceWindows of 5 s, unfit ones marked with the reason.
Its doors are `tail.LogTail` and, for doctor, `entries.demand_log_right`.
"""
