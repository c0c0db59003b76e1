"""Canary Console: the engine. It knows no screen."""
