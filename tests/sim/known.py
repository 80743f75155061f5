"""Broken promises that seeds have found and that are not mended yet, by words of the checkers. Each has a test of its
own that is expected to fail (test_found_by_seeds.py) and tells when its line here must go.
"""

KNOWN: tuple[str, ...] = ()


def unknown(outcome):
    """What is broken beyond that."""
    return [words for words in outcome.violations if not any(known in words for known in KNOWN)]
