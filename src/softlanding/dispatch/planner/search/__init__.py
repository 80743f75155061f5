"""A whole day bettered in the background, on flat arrays and in a process of its own (ADR 9)."""
