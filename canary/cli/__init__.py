"""The `canary` command; one file for each family of commands."""
