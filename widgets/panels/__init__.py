"""The panels of the main screen, from overview to events.

In: a snapshot. Out: as much as the size has room for; what is cut leaves a mark.
Door: one widget class a panel.
"""
