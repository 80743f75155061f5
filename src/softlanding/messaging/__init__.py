"""How facts travel: outboxes are the truth, the broker is the fast path, the feed is the second path."""
