import pytest

from softlanding.sim.run import standing_ground


@pytest.fixture(scope="session")
def ground():
    """Engines and empty databases, for all seeds of this process."""
    with standing_ground() as ground:
        yield ground
