"""Where the share of Canary is kept, and how it is read and set: one seam, four kinds.

In come a plan, a Connection and the steps of a change; out go ServiceStates and operations, and for
people the place and the command by hand. Its door is `choice.open_router` (and `router_class` for
what is pure); nothing outside asks which kind it is.
"""
