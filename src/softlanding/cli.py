"""Every command that an operator can type.

Each command imports what it needs when it runs: `softlanding up` must stay small and start at once.
"""

import functools
import json
import sys
import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import click

from softlanding.errors import Exit, Invalid, Misconfigured, Refused, SoftlandingError
from softlanding.private_files import keep_private
from softlanding.settings import SERVICES, Service, Settings, example_text, explain, load_settings, required

TO_SIGN = ("session_secret", "front_door.public_url")  # What a command needs that asks the running system.
ANY_NUMBER = 1_000_000  # Of talks that an import may remove: more than any programme has.
TOKEN_SCOPES = ("read", "write", "personal", "facts", "admin", "logs")
F = TypeVar("F", bound=Callable[..., Any])

data_option = click.option("--data", metavar="DIR", help="The data folder. Default: var, or the setting data_folder.")
accept_option = click.option(
    "--accept-empty", is_flag=True, help="Begin anew on an empty database where data was before; an incident says so."
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line; the last bears the result.")


def main() -> None:
    """The command `softlanding`. It ends with one of the codes in errors.Exit."""
    keep_private()  # First of all: any command may be the one that makes the data folder.
    sys.exit(run())


def run() -> int:
    """The command's exit code. What is refused is said in words beside the result."""
    try:
        code = group(standalone_mode=False)  # A command gives its code back; of `--help` click does.
    except click.ClickException as error:
        error.show()
        return Exit.USAGE
    except click.Abort:
        return Exit.INTERRUPTED
    except Invalid as error:
        click.echo("This cannot be used:", err=True)
        for fault in error.faults:
            click.echo(f"  {fault}", err=True)
        return Exit.CANNOT_START if isinstance(error, Misconfigured) else Exit.REFUSED
    except SoftlandingError as error:
        click.echo(f"Softlanding: {error}", err=True)
        return Exit.REFUSED
    except Exception:  # noqa: BLE001 - the top of the process: a fault of ours has a code of its own
        traceback.print_exc()
        return Exit.BUG
    return code if isinstance(code, int) else Exit.DONE


def with_example(example: str) -> Callable[[F], F]:
    """Every command's help ends with an example that works."""

    def add(function: F) -> F:
        function.__doc__ = f"{function.__doc__}\n\n\b\nExample:\n  {example}\n"
        return function

    return add


@click.group("softlanding", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="softlanding")
def group() -> None:
    """A conference system that keeps its promises when things fall down."""


@group.command("up")
@data_option
@click.option("--port", type=click.IntRange(1, 65_535), help="The port to open in the browser. Default: 8000.")
@click.option("--lan", is_flag=True, help="Also for phones in the same network, by TLS; prints links as QR codes.")
@click.option("--plain", is_flag=True, help="With --lan: without TLS. Whoever is in the network can read along.")
@click.option("--empty", is_flag=True, help="Without the sample conference.")
@accept_option
@click.option("--without-nats", is_flag=True, help="Without a broker: facts travel by the feed alone.")
@click.option("--sample-on", metavar="YYYY-MM-DD", help="First day of the sample conference. Default: tomorrow.")
@json_option
@with_example("softlanding up --port 8080 --data /srv/softlanding")
def up_command(
    data: str | None,
    port: int | None,
    lan: bool,
    plain: bool,
    empty: bool,
    accept_empty: bool,
    without_nats: bool,
    sample_on: str | None,
    as_json: bool,
) -> int:
    """Run the whole system on this machine, until Ctrl-C."""
    from softlanding.app.up import UpOptions, up

    options = UpOptions(
        folder=Path.cwd(),
        data=data,
        port=port,
        with_lan=lan,
        is_plain=plain,
        is_empty=empty,
        accept_empty=accept_empty,
        as_json=as_json,
        without_nats=without_nats,
        first_day=sample_on,
        tell_line=functools.partial(print, flush=True),
    )
    try:
        return up(options)
    except Refused as error:
        click.echo(f"Softlanding: {error}", err=True)
        return Exit.CANNOT_START


@group.command("serve")
@click.argument("service", type=click.Choice(SERVICES), required=False)
@accept_option
@with_example("softlanding serve dispatch")
def serve_command(service: Service | None, accept_empty: bool) -> int:
    """Run one service, as a container does: the one named, or the one that the setting `service` names.

    It is in production unless SOFTLANDING__PROFILE says otherwise: nothing is guessed, and nothing is touched before
    all that it needs is set.
    """
    from softlanding.app.serve import refuse_settings, serve

    try:
        settings = load_settings(folder=Path.cwd(), service=service, assumed={"profile": "production"})
        name: Service = required(service or settings.service, "service")
    except Misconfigured as error:
        return refuse_settings(service, error)
    return serve(name, settings, accept_empty=accept_empty)


@group.command("settings")
@json_option
@click.option("--example", is_flag=True, help="Print .env.example: every setting with its meaning and default.")
@click.option("--service", type=click.Choice(SERVICES), help="As this one reads them. Default: the setting `service`.")
@data_option
@with_example("softlanding settings --service dispatch --json")
def settings_command(as_json: bool, example: bool, service: Service | None, data: str | None) -> None:
    """Show every setting: its value, where it came from, what it means.

    Secrets show as fingerprints, keyed with session_secret; where that is not set, they show as (set).
    """
    if example:
        click.echo(example_text(), nl=False)
        return
    settings = load_settings(folder=Path.cwd(), command_line={"data_folder": data}, service=service)
    for warning in settings.warnings:
        click.echo(f"warning: {warning}", err=True)
    for setting in explain(settings):
        if as_json:
            click.echo(json.dumps(asdict(setting), ensure_ascii=False))
        else:
            click.echo(f"{setting.name} = {setting.value_shown}\n    {setting.origin}. {setting.meaning}")


@group.command("migrate")
@click.argument("service", type=click.Choice([*SERVICES, "common"]))
@click.option("--draft", metavar="NAME", help="For developers: write the migration that the tables in code ask for.")
@data_option
@json_option
@with_example("softlanding migrate schedule")
def migrate_command(service: Any, draft: str | None, data: str | None, as_json: bool) -> None:
    """Bring a service's database up to this release. Services do it themselves at start."""
    if draft is not None:
        _draft_migration(service, draft)
        return
    from softlanding.app.life import make_service, migrations_of
    from softlanding.database import writer_engine
    from softlanding.database.schema import migrate

    name = f"{service}.database_url"
    settings = _settings(data, needs=(name,))
    engine = writer_engine(required(settings.of(service).database_url, name))
    applied = migrate(engine, migrations_of(make_service(service, settings)))
    _say({"service": service, "applied": applied}, as_json, f"{service}: {', '.join(applied) or 'nothing to do'}")


def _draft_migration(service: str, name: str) -> None:
    from tempfile import TemporaryDirectory

    from softlanding.app.life import COMMON_MIGRATIONS, make_service
    from softlanding.database import shared, writer_engine
    from softlanding.database.revisions import draft

    value = None if service == "common" else make_service(service, _settings(None))
    tables, package = (value.tables, value.migrations) if value else (shared, COMMON_MIGRATIONS)
    with TemporaryDirectory() as folder:
        click.echo(draft(writer_engine(f"sqlite:///{folder}/draft.db"), package, tables, name, f"{service}: {name}"))


@group.command("sign-in-link")
@click.option("--person", default="first", show_default=True, help="Who signs in, by id; `first` set it up.")
@data_option
@json_option
@with_example("softlanding sign-in-link")
def sign_in_link_command(person: str, data: str | None, as_json: bool) -> None:
    """Print a link that signs a member of the staff in, once, within a day."""
    from softlanding.app.reach import signs_for

    here = signs_for(_settings(data), _note)
    link = f"{here.address}/sign-in/{here.signing.sign_in_token(person)}"
    _say({"sign_in": link}, as_json, link)


@group.command("token")
@click.argument("words", nargs=-1, metavar="NAME | list | revoke NAME")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(TOKEN_SCOPES), help="What it may do. Default: read."
)
@click.option("--conference", metavar="SLUG", help="The one for which it holds. Default: all.")
@data_option
@json_option
@with_example("softlanding token registration-desk --scope read --scope write --conference softconf")
def token_command(
    words: tuple[str, ...], scopes: tuple[str, ...], conference: str | None, data: str | None, as_json: bool
) -> None:
    """Make a token by which a program may use the API, for a year; list them; revoke one by its name or id.

    A token's text is shown once.
    """
    from softlanding.app.client import new_key
    from softlanding.app.reach import reach

    path, (what, *named) = "/api/schedule/tokens", words or ("",)
    if not what or what.startswith("-") or len(named) != (what == "revoke"):
        raise click.UsageError("give a name, or `list`, or `revoke` and a name")
    with reach(_settings(data), _note) as here:
        if what == "list":
            answer = {"tokens": here.request("GET", path)}
            said = "\n".join(map(_token_words, answer["tokens"])) or "no program has a token"
        elif what == "revoke":
            answer = here.request("POST", f"{path}/revoke", key=new_key(), values={"token": named[0]})
            said = f"{answer['name']} holds no more."
        else:
            given = {"name": what, "scopes": list(scopes or ("read",)), "conference": conference}
            made = here.request("POST", path, key=new_key(), values=given)
            answer, said = made | {"token": made["text"], "id": made["token"]}, made["text"]
    _say(answer, as_json, said)


def _token_words(one: Mapping[str, Any]) -> str:
    where, state = one["conference"] or "all conferences", f"ends {one['ends_at'][:10]}"
    if one["revoked_at"]:
        state = f"revoked {one['revoked_at'][:10]} by {one['revoked_by']}"
    return f"{one['name']}: {', '.join(one['scopes'])}; {where}; made by {one['made_by']}; {state}; id {one['token']}"


@group.group("import")
def import_group() -> None:
    """Bring programmes and tables in, whether the system runs or not. The same file twice changes nothing."""


conference_option = click.option("--conference", metavar="SLUG", help="Which one. Not needed where there is only one.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would happen, and change nothing.")


def table_options(function: F) -> F:
    """What all commands that take a table have in common."""
    file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
    template = click.option("--template", is_flag=True, help="Print a table to begin with.")
    for option in (json_option, data_option, template, dry_run_option, conference_option, file):
        function = option(function)
    return function


@import_group.command("programme")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--zone", help="The time zone (IANA), where the file names none.")
@click.option("--release", is_flag=True, help="Publish it at once.")
@click.option("--note", default="", help="A public word on the release.")
@click.option("--yes", is_flag=True, help="Also when it removes more than a third of the talks.")
@click.option("--conference", metavar="SLUG", help="The one that it must be of; a file of another is refused.")
@dry_run_option
@data_option
@json_option
@with_example("softlanding import programme schedule.xml --release")
def import_programme_command(
    file: Path,
    zone: str | None,
    release: bool,
    note: str,
    yes: bool,
    conference: str | None,
    dry_run: bool,
    data: str | None,
    as_json: bool,
) -> int:
    """Take a programme (schedule.xml or schedule.json, also gzipped) into the draft of its conference."""
    from softlanding.app.client import new_key, published_soon
    from softlanding.app.reach import reach

    parameters = {"filename": file.name, "release": release, "note": note, "dry_run": dry_run}
    parameters |= {"accept_removed": ANY_NUMBER} if yes else {}
    parameters |= {name: value for name, value in {"zone": zone, "conference": conference}.items() if value}
    with reach(_settings(data), _note) as here:
        report = here.request(
            "POST",
            "/api/schedule/programmes",
            key=new_key(),
            content=file.read_bytes(),
            parameters=parameters,
        )
        if "release" in report and not here.is_alone:
            report["release"]["published"] = published_soon(here, report["conference"])
    for remark in report["notes"] if not as_json else ():
        times = f" (and {remark['times'] - 1} more)" if remark["times"] > 1 else ""
        click.echo(f"  {remark['where']}: {remark['what']}{times}")
    for warning in () if as_json else {**report, **report.get("release", {})}["warnings"]:
        click.echo(f"  look at this: {warning}")
    address = f"{here.address}/{report['conference']}/"
    _say(report, as_json, _programme_words(report, _public_words(report, address, is_alone=here.is_alone)))
    is_waiting = "release" in report and not here.is_alone and not report["release"]["published"]["is_public"]
    return Exit.REFUSED if is_waiting else Exit.DONE


@import_group.command("arrivals")
@table_options
@with_example("softlanding import arrivals arrivals.csv --dry-run")
def import_arrivals_command(**given: Any) -> int:
    """Take a table of speakers' flights and trains; each becomes a pickup request."""
    from softlanding.formats import arrivals_template

    return _import_table("schedule", "arrivals", arrivals_template, **given)


@import_group.command("places")
@table_options
@with_example("softlanding import places --template > places.csv")
def import_places_command(**given: Any) -> int:
    """Take a table of places: airports, stations, hotels, the venue."""
    from softlanding.formats import places_template

    return _import_table("dispatch", "places", places_template, **given)


@import_group.command("fleet")
@table_options
@with_example("softlanding import fleet fleet.csv")
def import_fleet_command(**given: Any) -> int:
    """Take a table of vehicles, drivers and shifts."""
    from softlanding.formats import fleet_template

    return _import_table("dispatch", "fleet", fleet_template, **given)


def _import_table(
    service: str,
    what: str,
    printed: Callable[[], str],
    *,
    file: Path | None,
    conference: str | None,
    dry_run: bool,
    template: bool,
    data: str | None,
    as_json: bool,
) -> int:
    from softlanding.app.client import new_key
    from softlanding.app.reach import reach

    if template:
        click.echo(printed(), nl=False)
        return Exit.DONE
    if file is None:
        raise click.UsageError(f"name a file, or print one to begin with: softlanding import {what} --template")
    with reach(_settings(data), _note) as here:
        slug = conference or here.only_conference()
        report = here.request(
            "POST",
            f"/api/{service}/{slug}/{what}/import",
            key=new_key(),
            content=file.read_bytes(),
            parameters={"dry_run": dry_run},
        )
    for kind in ("faults", "warnings") if not as_json else ():
        for entry in report.get(kind, ()):
            click.echo(f"  row {entry['row']}: {entry.get('reason') or entry.get('what')}")
    _say(report, as_json, _table_words(report, dry_run))
    return Exit.REFUSED if report["faults"] else Exit.DONE


def _public_words(report: Mapping[str, Any], address: str, *, is_alone: bool) -> str:
    """Where it can be read, and whether it can be read yet."""
    if "release" not in report:
        return "It is a draft; --release publishes it."
    if is_alone:
        return f"It is public once `softlanding up` runs: {address}"
    published = report["release"]["published"]
    if published["is_public"]:
        return f"It is public: {address}"
    why = f" ({published['why']})" if published["why"] else ""
    return f"It is waiting to be public since {published['waiting_since']}{why}; follow it at {address}organise/"


def _programme_words(report: Mapping[str, Any], then: str) -> str:
    counts = f"{report['talks']} talks, {report['speakers']} speakers, {report['rooms']} rooms"
    what = f"{report['title']} ({report['conference']}): {counts}"
    if report["is_same"]:
        return f"{what}. The draft is the same already. {then if 'release' in report else ''}"
    changes = f"{report['added']} added, {report['changed']} changed, {report['removed']} removed"
    if report["dry_run"]:
        return f"{what}. It would be: {changes}. Nothing was changed."
    return f"{what}; {changes}. {then}"


def _table_words(report: Mapping[str, Any], dry_run: bool) -> str:
    counts = {name: _count(report.get(name, 0)) for name in ("added", "changed", "same", "faults")}
    words = (
        f"{counts['added']} added, {counts['changed']} changed, {counts['same']} the same, {counts['faults']} faulty"
    )
    return f"It would be: {words}. Nothing was changed." if dry_run else f"{words}."


def _count(value: Any) -> int:
    return len(value) if isinstance(value, list) else int(value)


@group.group("pickup")
def pickup_group() -> None:
    """Ask for pickups, change and withdraw them: what the forms do, for scripts."""


@pickup_group.command("request")
@click.option("--speaker", required=True, help="Code, name or e-mail address.")
@click.option("--number", required=True, help="Flight or train: LH 2034.")
@click.option("--at", "airport", required=True, help="Airport (IATA) or station.")
@click.option("--on", required=True, metavar="YYYY-MM-DD", help="The day of landing there.")
@click.option("--time", required=True, metavar="HH:MM", help="The time of landing, by the clocks there.")
@click.option("--to", "place", required=True, help="Where to: a hotel, the venue.")
@click.option("--party", type=click.IntRange(1, 50), default=1, show_default=True)
@click.option("--luggage", type=click.IntRange(0, 200), default=1, show_default=True)
@click.option("--wheelchairs", type=click.IntRange(0, 10), default=0, show_default=True)
@click.option("--phone", default="")
@click.option("--key", help="Twice with the same key is once. Default: a new one.")
@conference_option
@data_option
@json_option
@with_example(
    "softlanding pickup request --speaker ABCD --number LH2034 --at HAM --on 2026-11-21 --time 13:52 --to Venue"
)
def pickup_request_command(
    key: str | None, conference: str | None, data: str | None, as_json: bool, **values: Any
) -> None:
    """Announce an arrival: somebody is fetched there."""
    _pickup("POST", "", key, conference, data, as_json, values)


@pickup_group.command("change")
@click.argument("journey")
@click.option("--news", type=click.Choice(["on_time", "late", "landed", "diverted", "cancelled"]), required=True)
@click.option("--expected", metavar="HH:MM", help="The time of landing now expected, by the clocks there.")
@click.option("--on", metavar="YYYY-MM-DD", help="Its day. Default: as announced.")
@click.option("--note", default="")
@click.option("--key", help="Twice with the same key is once. Default: a new one.")
@conference_option
@data_option
@json_option
@with_example("softlanding pickup change 0199c1d2-… --news late --expected 14:40")
def pickup_change_command(
    journey: str, key: str | None, conference: str | None, data: str | None, as_json: bool, **values: Any
) -> None:
    """Enter news of a flight or train: the pickup's next revision."""
    given = {"news": values["news"], "note": values["note"], "on": values["on"], "expected": values["expected"]}
    needs_day = given["expected"] is not None and given["on"] is None
    as_announced = {"on": f"/{journey}"} if needs_day else {}
    _pickup("POST", f"/{journey}/news", key, conference, data, as_json, given, as_announced)


@pickup_group.command("withdraw")
@click.argument("journey")
@click.option("--reason", default="", help="Why nobody needs to come.")
@click.option("--key", help="Twice with the same key is once. Default: a new one.")
@conference_option
@data_option
@json_option
@with_example("softlanding pickup withdraw 0199c1d2-… --reason 'comes by bicycle'")
def pickup_withdraw_command(
    journey: str, reason: str, key: str | None, conference: str | None, data: str | None, as_json: bool
) -> None:
    """Withdraw an arrival: nobody is sent, and a driver on the way is told."""
    _pickup("POST", f"/{journey}/withdraw", key, conference, data, as_json, {"reason": reason})


def _pickup(
    method: str,
    path: str,
    key: str | None,
    conference: str | None,
    data: str | None,
    as_json: bool,
    values: Mapping[str, Any],
    looked_up: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """`looked_up`: values that are taken as they now are, by the address below arrivals that tells them."""
    from softlanding.app.client import new_key
    from softlanding.app.reach import reach

    with reach(_settings(data), _note) as here:
        slug = conference or here.only_conference()
        arrivals = f"/api/schedule/{slug}/arrivals"
        known = {name: here.request("GET", f"{arrivals}{where}")[name] for name, where in looked_up.items()}
        answer = here.request(method, f"{arrivals}{path}", key=key or new_key(), values={**values, **known})
    _say(answer, as_json, ", ".join(f"{name} {value}" for name, value in answer.items() if value is not None))


@group.command("sim")
@click.option("--seeds", type=click.IntRange(1), default=20, show_default=True, help="How many seeds to play.")
@click.option("--first", type=click.IntRange(0), default=1, show_default=True, help="The first of them.")
@click.option("--seed", type=click.IntRange(0), help="Play this one alone, and say each step.")
@json_option
@with_example("softlanding sim --seeds 100")
def sim_command(seeds: int, first: int, seed: int | None, as_json: bool) -> int:
    """Play the whole system under simulated faults. Exit code 1 when a promise was broken; the seed is named."""
    from softlanding.sim.run import command

    result = command(first if seed is None else seed, seeds if seed is None else 1, seed is not None, _teller(as_json))
    _say(result, as_json, result.get("words") or json.dumps(result))
    return Exit.DONE if result["held"] else Exit.REFUSED


@group.command("drill")
@click.argument("name")
@click.option("--kills", type=click.IntRange(1), default=500, show_default=True, help="For `crashes`.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="For `crashes`.")
@json_option
@with_example("softlanding drill dispatcher-dies --json")
def drill_command(name: str, kills: int, seed: int, as_json: bool) -> int:
    """Play one lesson of the talk (or `all`) on a throw-away installation. Exit code 0 if the promise held."""
    from softlanding.drills import DRILLS, run_crashes

    tell = _teller(as_json)
    if name == "crashes":
        results = {name: run_crashes(kills, seed, tell)}
    elif name == "all" or name in DRILLS:
        results = {each: DRILLS[each].run(tell) for each in (DRILLS if name == "all" else [name])}
    else:
        raise click.UsageError(f"there is no drill '{name}': choose all, crashes, {', '.join(DRILLS)}")
    result: dict[str, Any] = results.get(name, {"drills": results})
    held = all(each["held"] for each in results.values())
    _say(result | {"held": held}, as_json, "\n".join(f"{each}: {_in_words(value)}" for each, value in results.items()))
    return Exit.DONE if held else Exit.REFUSED


def _teller(as_json: bool) -> Callable[[str], None]:
    """Progress: lines for a person, JSON objects for a program."""

    def tell(line: str) -> None:
        click.echo(json.dumps({"progress": line}, ensure_ascii=False) if as_json else line)

    return tell


def _in_words(result: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in result.items() if not isinstance(value, (dict, list)))


def _settings(data: str | None, needs: Collection[str] = TO_SIGN) -> Settings:
    return load_settings(folder=Path.cwd(), command_line={"data_folder": data}, needs=needs)


def _say(result: Mapping[str, Any], as_json: bool, words: str) -> None:
    click.echo(json.dumps(result, ensure_ascii=False) if as_json else words)


def _note(words: str) -> None:
    """For a person, beside the result."""
    click.echo(words, err=True)


if __name__ == "__main__":
    main()
