"""Softlanding: a conference system that keeps its promises when things fall down."""
