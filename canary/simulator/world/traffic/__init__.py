"""The traffic: who answers how many requests, how fast, how well.

In: a timeline of splits, scales, revisions and scenarios, a seed, and what really arrived. Out: a
side's behaviour at a moment, and the minutes that Cloud Monitoring's series are made of. All of it
is computed when asked for; nothing is stored. Door: `traffic.Traffic`; `scenarios` names what can
go wrong.
"""
