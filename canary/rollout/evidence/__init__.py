"""Comparing Canary with Legacy in a way that survives being looked at all the time.

`ratio` bad events (an e-process), `score` means, `split` the measured against the intended share,
`dispersion` when the ratio test must not be believed, `mann_whitney` the end-of-stage report,
`verdict` what is said of it all. Everything here is a pure function of counts.
"""
