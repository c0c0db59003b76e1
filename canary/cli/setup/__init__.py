"""Before a rollout and around it: init writes a plan, doctor checks the host, simulate and demo
run the embedded cloud, and the console is opened from here.

In: flags and answers. Out: canary.toml, findings, a running cloud or screen. Door: each command in
its file, and `console.open_console`.
"""
