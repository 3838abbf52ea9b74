"""The engine's commands: verify, stats."""
