"""Canary Console: a Legacy-vs-Canary rollout on Cloud Run, watched and carried out.

`rollout` says what is true of any rollout; `host` what may be trusted on this machine; `paint`
shows what was last seen, before all else is imported; `cloud` and `store` reach the services and
this host's files; `engine` observes and changes; `cli` is the command. `simulator` and `loadtest`
are processes of their own. No module of these knows a screen, but for `cli`, which opens it.
"""
