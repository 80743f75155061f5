"""What all pages and APIs share: doors with stated roles, rendering, forms and their keys, errors, streams, health."""

from softlanding.web.app import make_app, make_standby_app
from softlanding.web.asked import asked, once, speaks_as
from softlanding.web.doors import EVERYONE, Doors, Who, link, staff
from softlanding.web.forms import ANSWERS, Form, of_this_age, read_form, read_upload, refused, see_other
from softlanding.web.guarded import public_url
from softlanding.web.health import make_health_app
from softlanding.web.pages import Pages, peers_view
from softlanding.web.stream import stream

__all__ = [
    "ANSWERS",
    "EVERYONE",
    "Doors",
    "Form",
    "Pages",
    "Who",
    "asked",
    "link",
    "make_app",
    "make_health_app",
    "make_standby_app",
    "of_this_age",
    "once",
    "peers_view",
    "public_url",
    "read_form",
    "read_upload",
    "refused",
    "see_other",
    "speaks_as",
    "staff",
    "stream",
]
