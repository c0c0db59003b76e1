"""The bounded exhaustive search: every interleaving of two people, one crash, one lost answer, one
failed operation and one foreign change, over the product's own table and rules.

`python -m tests.search` prints the number of states; `test_search` holds it to docs/search.md.
"""
