"""Many rollouts read together, over the real protocols."""
