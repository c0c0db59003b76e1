"""The `canary` command: each command looks at, changes, tests or sets up one rollout.

In: what was typed, and canary.toml. Out: lines or JSON, and an exit code; the table of codes is in
`commands`. `change` is the one way to change anything, and what follows; `inspect` only looks;
`procedure` holds the steps around a move; `setup` what comes before the first. The rooms `inspect`,
`procedure` and `setup` know nothing of each other, and of `change` only what it carries out.
"""

import sys

if sys.platform == "win32":  # no fork, flock or setsid: a change could not outlive its terminal
    sys.exit("canary: This needs Linux or macOS. On Windows, run it in WSL (docs/install.md).")
