"""Rows of many rollouts: order, filter, groups, one line."""
