"""The screen: one rollout in one terminal, drawn by `widgets`, changed through the engine.

In: snapshots, jobs and errors from the engine's thread (`engine_port`), keys from the terminal.
Out: confirmed changes and requests to the engine, nothing to the cloud.
Door: `tui.app.run`, which the shell calls. Inside, `app` and `commands` know `actions`, these know
`pages`, these know `terminal`; `keys` and `engine_port` are known to all.
"""
