"""The checkers can fail: each fault planted in our code is caught by some seed, for what it is."""

import re

import pytest
from known import unknown

from softlanding.sim.plants import PLANTS
from softlanding.sim.run import run_seed

SEEDS = 40
CAUGHT_AS = {
    "publish-before-commit": "which was never committed",
    "acknowledge-before-commit": "let go of",
    "answer-before-commit": "what was acknowledged under .* is lost",
    "no-cursor-check": "applied .* after",
    "cursor-moved-without-apply": "'s cursor of .* stands at",
    "facts-kept-after-refused": "was told and does not exist",
    "epoch-kept-at-start": "lives under its name|was another fact before",
    "fence-dropped": "ended at .* and has",
    "expiry-left-to-the-broker": "was due at",
    "recovery-closes-the-incident": "was settled by recovery",
    "death-told-twice": "beside its death",
    "no-key-at-the-door": "what was acknowledged under .* is lost",
}


def test_every_plant_has_its_words():
    assert sorted(CAUGHT_AS) == sorted(PLANTS)


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_fault_is_caught(ground, plant, capsys):
    for seed in range(1, SEEDS + 1):
        outcome = run_seed(seed, plant=plant, ground=ground)
        caught = [words for words in unknown(outcome) if re.search(CAUGHT_AS[plant], words)]
        if caught:
            with capsys.disabled():
                print(f"\n{plant}: caught by seed {seed}: {caught[0]}")
            return
    pytest.fail(f"{plant} survived {SEEDS} seeds")
