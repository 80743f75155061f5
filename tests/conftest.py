"""What holds for all tests: none fails because the machine is laden."""

from hypothesis import settings

settings.register_profile("softlanding", deadline=None)
settings.load_profile("softlanding")
