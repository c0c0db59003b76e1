"""Cloud Run's services: what they are wanted to be, and what is served.

In: requests to change (`services.ServiceChanges`), and time (`settlement.Settlement`, at each
`World.settle`). Out: Service and Revision messages, operations (`state.RunState`), and events of
the timeline once a change has settled.
"""
