"""What fails: requests grouped by route, and which groups Canary has beyond chance.

In: the failing requests of the request log, with nothing that names a person in them. Out:
`groups.FailuresState`, advanced window by window, and `view.FailuresView`, which page and shell
show. Door: `view`.
"""
