from softlanding.formats.programme import *  # noqa: F403
