"""Cloud Run's services, revisions and operations, without any notion of how a split is made.

In come names and updates; out come raw messages, ServiceStates and RevisionStates. Its doors are
`client.RunClient` and the pure `services`; whoever changes something goes through `cloud.router`.
"""
