"""What is true of any rollout: pure values and functions, handed `now`, without I/O."""
