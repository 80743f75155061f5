"""How Dispatch's tables came to be what they are."""
