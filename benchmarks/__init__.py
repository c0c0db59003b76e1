"""Figures of the console's budgets, each with a peer measured the same way in the same run."""
