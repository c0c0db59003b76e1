"""The pages: what fills the screen when asked for, written in rows that scroll.

In: a snapshot, what runs (`JobsView`), the plan, the keys. Out: rows of text.
Door: one subclass of `page.Page` a page; they are read after the first frame.
"""
