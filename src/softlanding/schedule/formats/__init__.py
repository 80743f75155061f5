from softlanding.formats import *  # noqa: F403
