"""The APIs: one file for each protocol, or a room where it takes several.

In: Google's own requests, by gRPC (`grpc_server`) or REST (`rest`), with the fault table's say.
Out: answers and refusals worded as Google's, from the world. What the real service does and this
one cannot is refused by name, never skipped.
"""
