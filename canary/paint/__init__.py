"""The first paint: what was last known, on the terminal before anything else is even imported.

In: what was typed, the terminal's size and colours, and the file in which the last console kept
what it saw. Out: a few rows, none of them green, which the screen then draws over without a blank
between (`screen`: the alternate screen is entered once, and given back whatever happens).
Door: `first.paint_first`, and for the screen `screen` and `rows`. `keeper` writes the file.

The standard library and `canary.rollout.text` alone: each module more is time in front of a dark
screen (a test lists what is loaded).
"""
