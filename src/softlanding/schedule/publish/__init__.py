"""Releases become files that the front door serves without any service.

A release is rendered into a fresh folder beside the others, which is then renamed and pointed to. A kill at any line
leaves what was public; the next life renders again. The same release gives the same bytes.
"""

from softlanding.schedule.publish.publisher import make_chore, publish, wanted_folder

__all__ = ["make_chore", "publish", "wanted_folder"]
