"""The themes of the console."""
