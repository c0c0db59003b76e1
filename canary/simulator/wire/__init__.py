"""The wire: Google's messages as raw protobuf classes, refusals, pages and update masks.

In: nothing of the simulator. Out: classes and functions without state, for every room above.
"""
