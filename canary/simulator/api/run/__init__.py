"""Cloud Run: its gRPC methods (`api`), and Knative's v1 REST that gcloud speaks (`knative`).

In: wire messages or v1 JSON. Out: services, revisions and operations of `world.services`; both
doors change them the same way.
"""
