"""The terminal around the screen, and all that reaches into Textual's private parts.

In: Textual's updates, signals, the hung-up line. Out: as few bytes as bring the terminal to the
same picture, its title, a copy of the summary, an orderly end.
Door: `app.TerminalApp`; `clipboard.copy`. tests/house/test_textual.py holds the rest out of it.
"""
