"""Tests of canary.rollout."""
