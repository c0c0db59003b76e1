"""Tests of canary.cli."""
