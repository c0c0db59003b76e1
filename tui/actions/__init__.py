"""What the keys do to the rollout: from a wish to a proposal that waits for its confirmation."""
