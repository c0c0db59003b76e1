"""The screens: the main one in its layouts, its talk rows and its compact form, and help.

In: a snapshot, what runs (`JobsView`), the time. Out: the widgets' data, keys as messages.
Door: `main.MainScreen`; `layout` says what is shown where, `summary` what leaves the screen.
"""
