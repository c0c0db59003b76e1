"""This host, as far as safety goes: which processes are started how, and whose files are believed.

In: the environment and the file system. Out: command lines, answers and refusals. `children` builds
every command line of a process of ours and finds the programs of others; `owners` says who could
have written a file, `trust` what the person has trusted, `plans` whether a plan may act; `logs` is
the one logging set-up. It knows no service and nothing of what is kept; `cloud`, `store`, `engine`,
`cli` and `tui` use it.
"""
