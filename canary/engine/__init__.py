"""Observe (poll to Snapshot), execute (Change to Outcome), guard (automatic rollback)."""
