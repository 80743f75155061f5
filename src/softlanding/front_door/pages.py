"""Pages that need no service: what is down, what goes on, what is not there. They claim only what is certain."""

import base64
import hashlib
import html
import json

HOLD_S = 5  # How long a request waits for a service that restarts; a restart takes well under a second.
INNER = ("organise", "speaker", "dispatch", "drive", "statistics", "follow", "runsheets")  # Not the programme's pages.
TOO_SLOW = "What you sent did not arrive whole in time. Nothing was saved: go back and send it again."
BODY_MAX_MB = 12  # The largest programme known has 4 MB.

# What was asked of the service that is down: nothing was sent to it, or not, or perhaps.
_SENT = {
    "nothing": "You only looked: nothing was changed. This page tries again every few seconds.",
    "not": "What you sent was not saved. Go back and send it again in a moment.",
    "perhaps": (
        "It stopped while it was answering: what you sent may have been saved or not. "
        "Go back and send the same form again: it counts once."
    ),
}
_NAMES = {"schedule": "Schedule", "dispatch": "Dispatch", "statistics": "Statistics", "sign-in": "Sign-in"}
_STILL = {
    "schedule": (
        "The published programme: it is served from files.",
        "Dispatch and Statistics work by themselves: drivers go on driving, the board stays usable.",
        "Arrivals and changes to the programme have to wait.",
    ),
    "dispatch": (
        "The published programme, and the last run sheets for who has their link: they are served from files.",
        "Schedule works by itself: it accepts pickup requests meanwhile, and Dispatch plans them when it is back.",
    ),
    "statistics": (
        "The published programme: it is served from files.",
        "Schedule and Dispatch work by themselves; what happens meanwhile is counted when Statistics is back.",
    ),
    "sign-in": (
        "The published programme: it is served from files.",
        "None of the three services answers, so nobody can sign in just now.",
    ),
}


def down_page(service: str, sent: str = "nothing") -> str:
    """What people see while `service` does not answer. It claims only what the front door can know."""
    refresh = '<meta http-equiv="refresh" content="4">' if sent == "nothing" else ""
    still = "".join(f"<li>{html.escape(line)}</li>" for line in _STILL[service])
    body = (
        f"<p>The front door waited {HOLD_S} seconds. It is started again by itself; that usually takes a second or two."
        f"</p><p><strong>{html.escape(_SENT[sent])}</strong></p><h2>What goes on</h2><ul>{still}</ul>"
        '<p><a href="/">To the programme</a></p>'
    )
    return _page(f"{_NAMES[service]} is not answering", body, refresh)


def down_answer(service: str, sent: str = "nothing") -> str:
    """The same for programs (RFC 9457)."""
    told = {
        "nothing": "Nothing was changed.",
        "not": "Your request was not received; send it again.",
        "perhaps": "The outcome is unknown; send it again with the same Idempotency-Key.",
    }
    answer = {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": f"{_NAMES[service]} is not answering. {told[sent]}",
        "service": service,
        "sent": sent,
    }
    return json.dumps(answer) + "\n"


def own_pages() -> dict[str, str]:
    pages = {
        "not-found.html": _page(
            "There is nothing at this address",
            "<p>No conference or page of this name is published here. It may have been renamed."
            '</p><p><a href="/">To the programme</a></p>',
        ),
        "nothing-yet.html": _page(
            "Nothing is published yet",
            "<p>Softlanding is running. As soon as a programme is released, it appears here.</p>",
        ),
        "another-name.html": _page(
            "That is another name",
            "<p>This installation is not known by the name that was asked for. Open it by its own address; an operator "
            "adds a name with the setting <code>front_door.names</code>.</p>",
        ),
        "trust.html": trust_page(),
        # Personal pages are asked for by secret addresses; staff's ask who comes. Neither is for a search engine.
        "robots.txt": "".join(
            ["User-agent: *\n", *(f"Disallow: {path}\n" for path in ("/api/", "/operations/", "/sign-in/", *_inner()))]
        ),
        "too-large.html": _page(
            "That is too large",
            f"<p>The front door takes at most {BODY_MAX_MB} MB at once. Nothing was saved. "
            "A larger programme is imported with <code>softlanding import</code>.</p>",
        ),
    }
    for service in _NAMES:
        for sent in _SENT:
            pages[f"down-{service}-{sent}.html"] = down_page(service, sent)
            pages[f"down-{service}-{sent}.json"] = down_answer(service, sent)
    return pages


def _inner() -> list[str]:
    return [f"/*/{name}" for name in INNER]


def trust_page() -> str:
    """For a phone that is to know this installation's own certificate authority."""
    return _page(
        "Let this phone know this installation",
        "<p>The address is encrypted by an authority that this installation made for itself, so a phone warns of it "
        "until it knows that authority. Going on after the warning works, too: it is encrypted all the same, but the "
        "phone cannot tell this installation from somebody who pretends to be it.</p>"
        '<p><a href="/-/root.crt">The certificate of the authority</a> (root.crt). Compare its SHA-256 fingerprint '
        "with the one that <code>softlanding up --lan</code> printed.</p>"
        "<h2>Android</h2><p>Open the certificate, or: Settings, Security, More security settings, Install from storage,"
        " CA certificate; choose root.crt.</p>"
        "<h2>iPhone and iPad</h2><p>Open the certificate in Safari and allow the profile. Settings, General, VPN and "
        "Device Management: install it. Then Settings, General, About, Certificate Trust Settings: switch it on.</p>"
        "<h2>Afterwards</h2><p>Remove it when the conference is over.</p>",
    )


_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --paper: #fbfaf8; --quiet: #5b6675; --link: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaee; --paper: #14181f; --quiet: #9aa5b4; --link: #7db8f5; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1.0625rem/1.6 system-ui, sans-serif; }
main { max-width: 38rem; margin: 12vh auto; padding: 0 1.25rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 1rem; }
h2 { font-size: 1rem; margin: 2rem 0 .25rem; color: var(--quiet); }
ul { padding-left: 1.2rem; margin: 0; }
a { color: var(--link); }
"""


def style_hash() -> str:
    """What the content security policy calls this style by, so that no other inline style is allowed."""
    return "sha256-" + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


def _page(title: str, body: str, head: str = "") -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{head}<title>{html.escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{html.escape(title)}</h1>{body}</main></body></html>\n"
    )
