"""Widgets that draw what they are given: plots, gauge, histogram, tree, strip."""
