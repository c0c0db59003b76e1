"""What the numbers advise: the decision tree, its watch, the gates to the next stage.

In: windows of both sides, the plan, the time. Out: a `Decision` (`tree.decide`), `Gate`s
(`gates.check_gates`), whether a rollback would work (`readiness`), and when automatic rollback acts
(`guard`). Missing, stale or thin data is an answer of its own, never "go on".
"""
