"""Nouns and rules, pure: what became of pickups, how facts read as sentences, what a log line is."""
