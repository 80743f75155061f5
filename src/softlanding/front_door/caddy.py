"""What Caddy is told: who answers what, how long a request is held, what is said when nobody answers."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from softlanding.errors import Fault, Invalid
from softlanding.front_door.pages import BODY_MAX_MB, HOLD_S, INNER, TOO_SLOW, style_hash
from softlanding.front_door.site import RESERVED, SLUG
from softlanding.guards import POLICY

SERVICES = ("schedule", "dispatch", "statistics")


@dataclass(frozen=True)
class FrontDoorPlan:
    """All that the front door must know. Addresses of services are `host:port`."""

    port: int
    site_folder: Path
    storage_folder: Path
    upstreams: Mapping[str, str]
    static_folders: Mapping[str, Path] = field(default_factory=dict)  # "" is /static/, "dispatch" is /static/dispatch/
    hosts: Sequence[str] = ("127.0.0.1",)  # Addresses to listen on without TLS.
    tls_hosts: Sequence[str] = ()  # Addresses to listen on with TLS.
    tls_names: Sequence[str] = ()  # What is asked for there; certificates come from an authority of Caddy's own.
    names: Sequence[str] = ()  # What may be asked for, without ports; any other is refused. None: whatever is.
    admin_socket: Path | None = None
    body_within_s: int = 60  # A visitor may take this long to send what is sent.


def caddyfile(plan: FrontDoorPlan) -> str:
    """The front door's configuration in Caddy's own language. Raises Invalid for paths that Caddy could misread."""
    _check(plan)
    return _CADDYFILE.substitute(
        admin=f'"unix/{plan.admin_socket}"' if plan.admin_socket else "off",
        storage=plan.storage_folder,
        auto_https="disable_redirects" if plan.tls_names else "off",
        turned_to_tls="".join(_TURNED_TO_TLS.substitute(host=host, port=plan.port) for host in plan.tls_hosts),
        sites="\n".join(_sites(plan)),
        foreign=f"\n\t\t@foreign not host {' '.join(plan.names)}\n\t\terror @foreign 421" if plan.names else "",
        authority=_AUTHORITY.substitute(storage=plan.storage_folder, site=plan.site_folder) if plan.tls_names else "",
        body_within=f"{plan.body_within_s}s",
        site=plan.site_folder,
        static="\n".join(_static_route(name, folder) for name, folder in sorted(plan.static_folders.items())[::-1]),
        schedule=plan.upstreams["schedule"],
        dispatch=plan.upstreams["dispatch"],
        statistics=plan.upstreams["statistics"],
        all=" ".join(plan.upstreams[service] for service in SERVICES),
        hold=f"{HOLD_S}s",
        body_max=f"{BODY_MAX_MB}MB",
        slug=SLUG,
        reserved="|".join(RESERVED),
        inner="|".join(INNER),
        redacted=_REDACTED,
        guards=POLICY,
        too_slow=TOO_SLOW,
        own_guards=_OWN_GUARDS.format(style_hash()),
    )


def _check(plan: FrontDoorPlan) -> None:
    faults = [Fault(name, "the front door needs its address") for name in SERVICES if name not in plan.upstreams]
    folders = [plan.site_folder, plan.storage_folder, *plan.static_folders.values()]
    for folder in folders:
        if not folder.is_absolute() or re.search(r'[{}"`\\\n*?\[\]]', str(folder)):
            faults.append(Fault(str(folder), 'choose a folder without any of { } " ` \\ * ? [ ] in its full name'))
    if faults:
        raise Invalid(*faults)


def _sites(plan: FrontDoorPlan) -> Iterator[str]:
    """The same door, once without TLS and once with it."""
    if plan.hosts:
        yield f"http://:{plan.port} {{\n\tbind {' '.join(plan.hosts)}\n\timport door\n}}\n"
    if plan.tls_names:
        addresses = ", ".join(f"https://{name}:{plan.port}" for name in plan.tls_names)
        yield f"{addresses} {{\n\tbind {' '.join(plan.tls_hosts)}\n\ttls internal\n\timport door\n}}\n"


def _static_route(name: str, folder: Path) -> str:
    prefix = f"/static/{name}" if name else "/static"
    return _STATIC.substitute(prefix=prefix, folder=folder)


class _Text(Template):
    delimiter = "%"  # Caddy's language is full of braces and dollars.


_STATIC = _Text("""
		handle_path %{prefix}/* {
			log_skip
			root * "%{folder}"
			@versioned query v=*
			@unversioned not query v=*
			header @unversioned Cache-Control no-cache
			header @versioned Cache-Control "public, max-age=31536000, immutable"
			encode zstd gzip
			import reading
			file_server
		}""")

# Who types the address without https is led there: the same port understands both.
_TURNED_TO_TLS = _Text("""
	servers %{host}:%{port} {
		listener_wrappers {
			http_redirect
			tls
		}
		protocols h1 h2
		timeouts {
			read_header 10s
			read_body 60s
			idle 2m
		}
	}""")

# How a phone gets to know our authority. Its key stays in the storage folder.
_AUTHORITY = _Text("""
		handle /-/root.crt {
			root * "%{storage}/pki/authorities/local"
			header Content-Type application/x-x509-ca-cert
			rewrite * /root.crt
			header Content-Disposition "attachment; filename=softlanding-root.crt"
			import reading
			file_server
		}
		handle /-/trust {
			import own_page
			rewrite * /trust.html
			file_server
		}""")

# Personal links open somebody's journey, and people type names into searches: neither links, in whatever spelling, nor
# what follows a question mark, nor cookies come into a log.
_REDACTED = """format filter {
			wrap json {
				time_format rfc3339_nano
			}
			request>uri regexp "(?i)(/(?:drive|speaker|sign-in|runsheets)/)[^/?]+|(/)[a-z0-9_-]{40,}|([?]).*" "$1$2$3-"
			request>headers delete
			resp_headers delete
		}"""
_OWN_GUARDS = "default-src 'none'; style-src '{}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

_CADDYFILE = _Text("""\
{
	admin %{admin}
	persist_config off
	auto_https %{auto_https}
	skip_install_trust
	storage file_system "%{storage}"
	# Streams to browsers never end by themselves.
	grace_period 1s
	servers {
		protocols h1 h2
		timeouts {
			read_header 10s
			read_body %{body_within}
			idle 2m
		}
	}%{turned_to_tls}
	log default {
		output stderr
		level INFO
		# It warns of each browser that leaves a stream. What fails is told by http.log.error.
		exclude http.handlers.reverse_proxy
		%{redacted}
	}
}

# One directive each: in one block, a page that sets one of them would lose all.
(guards) {
	header ?Content-Security-Policy "%{guards}"
	header ?Referrer-Policy no-referrer
	header ?X-Content-Type-Options nosniff
	header ?X-Frame-Options DENY
	header ?Permissions-Policy "camera=(), microphone=(), geolocation=()"
	header -Server
}

# Files are only looked at. Said here, before anything else of the answer: an error must not bear the file's headers.
(reading) {
	@changing not method GET HEAD OPTIONS
	error @changing 405
}

(patient) {
	lb_try_duration %{hold}
	lb_try_interval 50ms
	flush_interval -1
	header_down -Via
	transport http {
		dial_timeout 1s
		# Shorter than the services': otherwise one closes just when the other sends.
		keepalive 3s
		response_header_timeout 60s
	}
}

(schedule) {
	vars service schedule
	reverse_proxy %{schedule} {
		import patient
	}
}

(dispatch) {
	vars service dispatch
	reverse_proxy %{dispatch} {
		import patient
	}
}

(statistics) {
	vars service statistics
	reverse_proxy %{statistics} {
		import patient
	}
}

(own_page) {
	root * "%{site}/-"
	header {
		Content-Security-Policy "%{own_guards}"
		Cache-Control no-store
		# The page's own date must not turn an error into 304.
		-Etag
		-Last-Modified
		defer
	}
}

(door) {
	log access {
		output stdout
		%{redacted}
	}
	route {%{foreign}
		# First and bare, because it is read by thousands: whatever wraps an answer costs as much as the file itself.
		@programme {
			path_regexp ^/%{slug}(/|$)
			not path_regexp ^/((%{reserved})(/|$)|[^/]+/(%{inner})(/|$))
		}
		handle @programme {
			log_skip
			root * "%{site}/trees/{file.%{site}/current.txt}"
			header {
				Cache-Control "public, no-cache"
				Content-Security-Policy "%{guards}"
				Referrer-Policy no-referrer
				X-Content-Type-Options nosniff
				X-Frame-Options DENY
				Server Softlanding
			}
			# Programmes are read by apps and other sites.
			@export path *.xml *.json *.ics
			header @export Access-Control-Allow-Origin *
			header *.ics Content-Type "text/calendar; charset=utf-8"
			@short {
				not path */ *.*
				file {path}.html
			}
			rewrite @short {path}.html
			import reading
			file_server {
				precompressed zstd br gzip
				hide *.zst *.br *.gz
			}
		}

		import guards
		request_body {
			max_size %{body_max}
		}
		# A body that stops coming ends in one of two ways; the other one is an error, and is told below.
		@sending method POST PUT PATCH DELETE
		intercept @sending {
			@cut status 499
			handle_response @cut {
				header Content-Type "text/plain; charset=utf-8"
				header Cache-Control no-store
				respond "%{too_slow}" 408
			}
		}
		@secret path_regexp ^/(sign-in|%{slug}/(drive|speaker|runsheets))(/|$)
		log_skip @secret

		handle /-/front-door {
			log_skip
			respond "the front door is open" 200
		}
		handle /robots.txt {
			root * "%{site}/-"
			import reading
			file_server
		}%{authority}
		handle /-/* {
			error 404
		}
%{static}
		handle /static/* {
			error 404
		}

		# Not for streams: each of their messages must leave at once.
		encode zstd gzip {
			match {
				header Content-Type text/html*
				header Content-Type application/json*
				header Content-Type application/cloudevents-batch+json*
				header Content-Type text/csv*
			}
		}

		handle /api/schedule/* {
			import schedule
		}
		handle /api/dispatch/* {
			import dispatch
		}
		handle /api/statistics/* {
			import statistics
		}
		handle /api/* {
			error 404
		}

		# What a service keeps is settled with that service, whoever shows it.
		@settled_by_schedule path /-settle/schedule /-letters/schedule /-audit/schedule
		handle @settled_by_schedule {
			import schedule
		}
		@settled_by_dispatch path /-settle/dispatch /-letters/dispatch /-audit/dispatch
		handle @settled_by_dispatch {
			import dispatch
		}
		@settled_by_statistics path /-settle/statistics /-letters/statistics /-audit/statistics
		handle @settled_by_statistics {
			import statistics
		}
		@operations path /operations /operations/*
		handle @operations {
			import statistics
		}
		@sign path /sign-in /sign-in/* /sign-out
		handle @sign {
			# Each service knows the staff: whoever is up answers.
			vars service sign-in
			reverse_proxy %{all} {
				import patient
				lb_policy first
				fail_duration 1s
			}
		}

		@of_schedule path_regexp ^/%{slug}/(organise|speaker)(/|$)
		handle @of_schedule {
			import schedule
		}
		@of_dispatch path_regexp ^/%{slug}/(dispatch|drive)(/|$)
		handle @of_dispatch {
			import dispatch
		}
		@of_statistics path_regexp ^/%{slug}/(statistics|follow)(/|$)
		handle @of_statistics {
			import statistics
		}

		# Names and phones are in it: only who knows the secret, and no listing.
		@runsheet path_regexp ^/%{slug}/runsheets/[A-Za-z0-9_-]{16,}/
		handle @runsheet {
			root * "%{site}"
			header Cache-Control no-store
			header X-Robots-Tag noindex
			import reading
			file_server
		}
		@runsheets path_regexp ^/%{slug}/runsheets(/|$)
		handle @runsheets {
			error 404
		}

		@several {
			path /
			file {
				root "%{site}"
				try_files /conferences.html
			}
		}
		handle @several {
			root * "%{site}"
			header Cache-Control "public, no-cache"
			rewrite * /conferences.html
			import reading
			file_server
		}
		handle / {
			@begun file {
				root "%{site}"
				try_files /index.txt
			}
			redir @begun "/{file.%{site}/index.txt}/" 302
			import own_page
			rewrite * /nothing-yet.html
			import reading
			file_server
		}

		error 404
	}
	handle_errors {
		# In the order written, which is not Caddy's own.
		route {
			import guards
			# Only the visitor's side is read with a limit of its own: no service was slow.
			@slow `{err.status_code} == 499 || {err.status_code} in [502, 503, 504]
				&& {err.message}.contains("read tcp") && {err.message}.contains("i/o timeout")`
			handle @slow {
				# Not a file: those are not served any more once the request counts as cancelled.
				header Content-Type "text/plain; charset=utf-8"
				header Cache-Control no-store
				respond "%{too_slow}" 408
			}
			@down `{err.status_code} in [502, 503, 504]`
			handle @down {
				route {
					header {
						Retry-After 2
						Cache-Control no-store
						defer
					}
					@looked method GET HEAD
					vars sent perhaps
					@never `{err.message}.contains("dial ") || {err.message}.contains("no upstreams")`
					vars @never sent not
					vars @looked sent nothing
					@program path /api/*
					handle @program {
						import own_page
						header Content-Type application/problem+json
						rewrite * /down-{vars.service}-{vars.sent}.json
						file_server {
							status 503
						}
					}
					import own_page
					rewrite * /down-{vars.service}-{vars.sent}.html
					file_server {
						status 503
					}
				}
			}
			@api path /api/*
			handle @api {
				header Content-Type application/problem+json
				respond `{"title": "{err.status_text}", "status": {err.status_code}}` {err.status_code}
			}
			@misled `{err.status_code} == 421`
			handle @misled {
				import own_page
				rewrite * /another-name.html
				file_server {
					status 421
				}
			}
			@absent `{err.status_code} == 404`
			handle @absent {
				import own_page
				rewrite * /not-found.html
				file_server {
					status 404
				}
			}
			@large `{err.status_code} == 413`
			handle @large {
				import own_page
				rewrite * /too-large.html
				file_server {
					status 413
				}
			}
			@refused `{err.status_code} == 405`
			header @refused Allow "GET, HEAD"
			respond "{err.status_code} {err.status_text}" {err.status_code}
		}
	}
}

%{sites}""")
