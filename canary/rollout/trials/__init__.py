"""The procedure beside the numbers: what is tried out, compared, ticked off and retired.

In: requests' answers, results of runs, dates, the plan. Out: a verdict with its evidence for each:
`verification` and `comparison`, `load_test`, `ab_test`, `checklist`, `retirement`; `jobs` is how
all of them stand at one moment, as the screen shows it. Running them is `engine/jobs`.
"""
