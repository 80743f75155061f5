"""What can be configured: one place, every fault at once, every value with its origin, no secret shown."""

import hashlib
import random
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from string import ascii_letters, ascii_lowercase, digits

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr, ValidationError

from softlanding.errors import Invalid
from softlanding.settings import (
    SERVICES,
    Setting,
    Settings,
    example_text,
    explain,
    fingerprint,
    load_settings,
    plain_environment,
    required,
    to_environment,
    with_values,
)
from softlanding.settings.kinds import hard_to_guess

REPOSITORY = Path(__file__).parents[2]
SECRET = "correct-horse-battery-staple"
PRODUCTION = {
    "profile": "production",
    "session_secret": SECRET,
    "peer_token": SECRET[::-1],
    "nats.urls": "nats://n1:4222,nats://n2:4222",
    "front_door.public_url": "https://conference.example",
    **{f"{service}.database_url": f"postgresql+psycopg://{service}@db/{service}" for service in SERVICES},
    **{f"{service}.host": "0.0.0.0" for service in SERVICES},
    **{f"{service}.port": "8100" for service in SERVICES},
    **{f"{service}.health_port": "8101" for service in SERVICES},
    **{f"{service}.address": f"http://{service}:8100" for service in SERVICES},
    **{f"{service}.health_address": f"http://{service}:8101" for service in SERVICES},
}


def variable(name: str) -> str:
    return "SOFTLANDING__" + name.replace(".", "__").upper()


def variables(values: dict[str, str]) -> dict[str, str]:
    return {variable(name): value for name, value in values.items()}


def loaded(folder: Path = Path("nowhere"), toml: str = "", dotenv: str = "", **environment: str) -> Settings:
    """Settings from texts; the environment's names without their prefix."""
    if toml:
        (folder / "softlanding.toml").write_text(toml)
    if dotenv:
        (folder / ".env").write_text(dotenv)
    return load_settings(folder=folder, environment={"SOFTLANDING__" + key: text for key, text in environment.items()})


def faults(*arguments, **keywords) -> list[str]:
    with pytest.raises(Invalid) as caught:
        loaded(*arguments, **keywords)
    return [str(fault) for fault in caught.value.faults]


def shown(settings: Settings) -> dict[str, Setting]:
    return {setting.name: setting for setting in explain(settings)}


ALL = list(shown(loaded()).values())


# Where values come from


def test_one_machine_needs_no_settings_at_all(tmp_path):
    settings = loaded(tmp_path)
    assert settings.profile == "embedded"
    assert settings.data_folder == tmp_path / "var"
    assert settings.schedule.database_url == f"sqlite:///{tmp_path}/var/schedule.db"
    assert settings.schedule.host == "127.0.0.1"
    assert settings.secure_cookies is False
    assert settings.dispatch.port is None
    assert settings.dispatch.address is None
    assert settings.nats.urls == []


def test_each_source_is_stronger_than_the_one_before(tmp_path):
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    sources = {
        "softlanding.toml": lambda: (tmp_path / "softlanding.toml").write_text("[front_door]\nport = 1001\n"),
        ".env": lambda: (tmp_path / ".env").write_text("SOFTLANDING__FRONT_DOOR__PORT=1002\n"),
        "environment": lambda: environment.update(SOFTLANDING__FRONT_DOOR__PORT="1003"),
        "secrets": lambda: (secrets / "front_door__port").write_text("1004\n"),
        "command line": lambda: command_line.update({"front_door.port": 1005}),
    }
    environment: dict[str, str] = {}
    command_line: dict[str, object] = {}
    seen = []
    for add in [lambda: None, *sources.values()]:
        add()
        settings = load_settings(
            folder=tmp_path, environment=environment, secrets_folder=secrets, command_line=command_line
        )
        seen.append((settings.front_door.port, shown(settings)["front_door.port"].origin))
    assert seen == [
        (8000, "default"),
        (1001, f"{tmp_path}/softlanding.toml:2"),
        (1002, f"{tmp_path}/.env:1"),
        (1003, "environment SOFTLANDING__FRONT_DOOR__PORT"),
        (1004, f"{secrets}/front_door__port"),
        (1005, "command line"),
    ]


def test_a_stronger_source_replaces_single_values_and_not_whole_sections(tmp_path):
    toml = "[dispatch]\nfreeze_minutes = 10\nwait_max_minutes = 5\n"
    settings = loaded(tmp_path, toml, DISPATCH__FREEZE_MINUTES="12.5")
    assert (settings.dispatch.freeze_minutes, settings.dispatch.wait_max_minutes) == (12.5, 5)


def test_a_stronger_source_decides_whatever_nonsense_is_below_it(tmp_path):
    assert loaded(tmp_path, 'front_door.port = "abc"', FRONT_DOOR__PORT="81").front_door.port == 81


def test_the_line_of_a_value_is_found_in_each_way_to_write_it(tmp_path):
    toml = (
        'zone = "Europe/Brussels"\n'
        "\n"
        'dispatch = { port = 1, "host" = "localhost" }\n'
        "front_door.port = 3  # dotted\n"
        "[ nats ]\n"
        'urls = [\n  "nats://127.0.0.1:4222",\n]\n'
        "[logs] # last\n"
        "'level' = 'debug'\n"
    )
    dotenv = "\n# comment\n\nexport SOFTLANDING__LIFECYCLE__BEAT_SECONDS=0.5 # comment\nOTHER=1\n\n" + (
        "SOFTLANDING__STATISTICS__LOG_KEEP_DAYS='7'\n"
    )
    settings = loaded(tmp_path, toml, dotenv)
    lines = {
        name: setting.origin.removeprefix(f"{tmp_path}/")
        for name, setting in shown(settings).items()
        if "default" not in setting.origin
    }
    assert lines == {
        "zone": "softlanding.toml:1",
        "dispatch.port": "softlanding.toml:3",
        "dispatch.host": "softlanding.toml:3",
        "front_door.port": "softlanding.toml:4",
        "nats.urls": "softlanding.toml:6",
        "logs.level": "softlanding.toml:10",
        "lifecycle.beat_seconds": ".env:4",
        "statistics.log_keep_days": ".env:7",
    }
    assert settings.lifecycle.beat_seconds == 0.5
    assert settings.statistics.log_keep_days == 7


def test_values_in_dotenv_are_taken_as_they_stand(tmp_path):
    settings = loaded(tmp_path, dotenv="SOFTLANDING__NATS__USER=a\nSOFTLANDING__NATS__PASSWORD=x${HOME}$y\n")
    assert settings.nats.password.get_secret_value() == "x${HOME}$y"


def test_the_processs_own_environment_is_read_when_none_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("SOFTLANDING__FRONT_DOOR__PORT", "8123")
    assert load_settings(folder=tmp_path).front_door.port == 8123
    assert load_settings(folder=tmp_path, environment={}).front_door.port == 8000
    assert Settings().front_door.port == 8000


def test_the_secrets_folder_may_be_named_by_any_source(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "session_secret").write_text(SECRET + "\n")
    settings = loaded(tmp_path, 'secrets_folder = "mine"\n')
    assert settings.session_secret.get_secret_value() == SECRET
    assert settings.secrets_folder == tmp_path / "mine"


def test_folders_are_meant_from_the_folder_of_the_settings_files(tmp_path):
    assert loaded(tmp_path, DATA_FOLDER="data").data_folder == tmp_path / "data"
    assert loaded(tmp_path, DATA_FOLDER="/srv/data").data_folder == Path("/srv/data")
    assert loaded(tmp_path, DATA_FOLDER="/srv/data").dispatch.database_url == "sqlite:////srv/data/dispatch.db"


def test_none_on_the_command_line_means_not_given(tmp_path):
    settings = load_settings(folder=tmp_path, environment={}, command_line={"front_door.port": None})
    assert shown(settings)["front_door.port"].origin == "default"


# Names that nobody knows


def test_a_misspelt_variable_is_refused_with_the_right_one():
    assert faults(DISPATCH__PROT="1") == [
        "environment: SOFTLANDING__DISPATCH__PROT is not a setting; did you mean SOFTLANDING__DISPATCH__PORT?"
    ]


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("DISPATCH_PORT", "SOFTLANDING__DISPATCH__PORT"),
        ("_DISPATCH__PORT", "SOFTLANDING__DISPATCH__PORT"),
        ("DISPACH__FREEZE_MINUTE", "SOFTLANDING__DISPATCH__FREEZE_MINUTES"),
        ("dispatch__port", "SOFTLANDING__DISPATCH__PORT"),
        ("FRONTDOOR__PORT", "SOFTLANDING__FRONT_DOOR__PORT"),
        ("BEAT_SECONDS", "SOFTLANDING__LIFECYCLE__BEAT_SECONDS"),
        ("NATS__URL", "SOFTLANDING__NATS__URLS"),
        ("NATS__MONITOR_URL", "SOFTLANDING__NATS__MONITOR_URLS"),
        ("LOG__LEVEL", "SOFTLANDING__LOGS__LEVEL"),
    ],
)
def test_likely_slips_are_understood(name, right):
    assert faults(**{name: "1"}) == [
        f"environment: SOFTLANDING__{name} is not a setting; did you mean {right}?",
    ]


def test_a_name_that_is_like_nothing_gets_no_wild_guess():
    [fault] = faults(XYLOPHONE="1")
    assert fault == (
        "environment: SOFTLANDING__XYLOPHONE is not a setting; `softlanding settings` lists all that there are"
    )


def test_a_name_that_may_mean_several_names_them():
    [fault] = faults(PORT="1")
    assert all(variable(f"{section}.port") in fault for section in [*SERVICES, "front_door"])


def test_a_slip_between_two_names_gets_both():
    assert faults(DISPATCH__POST="1")[0].endswith(
        "did you mean SOFTLANDING__DISPATCH__HOST or SOFTLANDING__DISPATCH__PORT?"
    )


def test_names_of_others_are_nobodys_business(tmp_path):
    environment = {"SOFTLANDING_REAL_DATA": "1", "PATH": "/bin", "SOFTLANDING": "x", "DISPATCH__PROT": "1"}
    assert load_settings(folder=tmp_path, environment=environment) == loaded(tmp_path)
    (tmp_path / ".env").write_text("POSTGRES_PASSWORD=x\nSOFTLANDING_REAL_DATA=1\n")
    assert load_settings(folder=tmp_path, environment={}) == loaded(tmp_path)


def test_misspelt_names_are_refused_in_every_source_at_once(tmp_path):
    (tmp_path / "softlanding.toml").write_text("zoen = 'UTC'\n[dispatch]\nprot = 1\n[dispach]\nport = 1\n")
    (tmp_path / ".env").write_text("A=1\nSOFTLANDING__LOGS__LEVLE=info\n")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "sesion_secret").write_text(SECRET)
    with pytest.raises(Invalid) as caught:
        load_settings(
            folder=tmp_path,
            environment={"SOFTLANDING__PROFIL": "production"},
            secrets_folder=tmp_path / "secrets",
            command_line={"front_door.prot": 1},
        )
    assert [str(fault).removeprefix(f"{tmp_path}/") for fault in caught.value.faults] == [
        "command line: front_door.prot is not a setting; did you mean front_door.port?",
        "secrets/sesion_secret: sesion_secret is not a setting; did you mean session_secret?",
        "environment: SOFTLANDING__PROFIL is not a setting; did you mean SOFTLANDING__PROFILE?",
        ".env:2: SOFTLANDING__LOGS__LEVLE is not a setting; did you mean SOFTLANDING__LOGS__LEVEL?",
        "softlanding.toml:1: zoen is not a setting; did you mean zone?",
        "softlanding.toml:3: dispatch.prot is not a setting; did you mean dispatch.port?",
        "softlanding.toml:4: dispach is not a section; did you mean dispatch?",
    ]


def test_a_section_is_not_a_setting(tmp_path):
    [fault] = faults(DISPATCH='{"port": 1}')
    assert fault == (
        "environment: SOFTLANDING__DISPATCH is a section, not a setting; "
        "set what is in it, such as SOFTLANDING__DISPATCH__DATABASE_URL"
    )
    [fault] = faults(tmp_path, "dispatch = 5\n")
    assert fault.startswith(f"{tmp_path}/softlanding.toml:1: dispatch is a section, not a setting")


@st.composite
def slips(draw):
    """A known variable and the same with one letter added, lost, changed, swapped or in the wrong case."""
    right = variable(draw(st.sampled_from(ALL)).name)
    at = draw(st.integers(len("SOFTLANDING__"), len(right) - 1))
    letter = draw(st.sampled_from(ascii_letters + digits + "_"))
    wrong = draw(
        st.sampled_from(
            [
                right[:at] + right[at + 1 :],
                right[:at] + letter + right[at:],
                right[:at] + letter + right[at + 1 :],
                right[:at] + right[at : at + 2][::-1] + right[at + 2 :],
                right[:at] + right[at].lower() + right[at + 1 :],
            ]
        )
    )
    assume(wrong not in {variable(setting.name) for setting in ALL})
    return right, wrong


@given(slips())
def test_a_slip_of_one_letter_is_always_refused_with_the_right_name(slip):
    right, wrong = slip
    [fault] = faults(**{wrong.removeprefix("SOFTLANDING__"): "1"})
    assert fault.startswith(f"environment: {wrong} is not a setting; did you mean ")
    assert right in fault.partition("did you mean ")[2].rstrip("?").split(" or ")


# Values that are wrong


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DISPATCH__PORT", "abc", "must be a whole number (it is 'abc')"),
        ("DISPATCH__PORT", "70000", "must be at most 65535 (it is '70000')"),
        ("DISPATCH__PORT", "0", "must be at least 1 (it is '0')"),
        ("DISPATCH__FREEZE_MINUTES", "-1", "must be at least 0 (it is '-1')"),
        ("DISPATCH__FREEZE_MINUTES", "soon", "must be a number (it is 'soon')"),
        ("DISPATCH__RIDE_LIMIT_FACTOR", "nan", "must be a finite number (it is 'nan')"),
        ("LIFECYCLE__BEAT_SECONDS", "0", "must be more than 0 (it is '0')"),
        ("FRONT_DOOR__LAN", "maybe", "must be true or false (it is 'maybe')"),
        ("PROFILE", "prod", "must be 'embedded' or 'production' (it is 'prod')"),
        ("ZONE", "Mars/Base", "must be a time zone such as Europe/Brussels (it is 'Mars/Base')"),
        ("DEFAULT_CONFERENCE", "api", "must be a slug of a-z, 0-9 and hyphens that is not reserved"),
        ("SCHEDULE__ADDRESS", "schedule:8100", "must look like http://host:port"),
        ("SCHEDULE__ADDRESS", "http://127.0.0.1:8100/path", "must look like http://host:port"),
        ("SCHEDULE__HOST", "127.0.0.1:8100", "must be a name or an address alone"),
        ("SCHEDULE__DATABASE_URL", "postgres://db/x", "must begin with postgresql+psycopg://"),
        ("SCHEDULE__DATABASE_URL", "sqlite:///relative.db", "must name the file by its whole path, with four slashes"),
        ("SCHEDULE__DATABASE_URL", "mysql://db/x", "must begin with sqlite:/// or postgresql+psycopg://"),
        ("NATS__URLS", "nats://127.0.0.1:4222,http://x", "must look like nats://host:4222"),
        ("SESSION_SECRET", "short", "must have at least 16 characters"),
        ("SESSION_SECRET", "", "is empty; give it a value or take it out"),
        ("DISPATCH__PORT", " ", "is empty; give it a value or take it out"),
    ],
)
def test_a_wrong_value_is_refused_in_plain_words(name, value, says):
    [fault] = faults(**{name: value})
    assert fault.startswith(f"environment: SOFTLANDING__{name} {says}")


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("front_door.port = true", "1: front_door.port must not be true or false"),
        ("front_door.port = [1]", "1: front_door.port must be a whole number (it is '[1]')"),
        ("zone = 5", "1: zone must be text (it is '5')"),
        ("data_folder = 5", "1: data_folder "),
        ("secrets_folder = 5", "1: secrets_folder "),
        ("\nnats.urls = [1]", "2: nats.urls must be text"),
        ("[front_door]\nport = 1\nport = 2\n", "3: is not TOML: Cannot overwrite a value (at line 3"),
        ("\n\nzone = Europe/Brussels\n", "3: is not TOML: Invalid value (at line 3"),
    ],
)
def test_toml_that_is_wrong_is_refused_with_its_line(tmp_path, toml, says):
    [fault] = faults(tmp_path, toml)
    assert fault.startswith(f"{tmp_path}/softlanding.toml:{says}")


def test_dotenv_that_is_wrong_is_refused_with_its_line(tmp_path):
    dotenv = (
        "SOFTLANDING__ZONE=UTC\n\nSOFTLANDING__ZONE=UTC\n'broken\nSOFTLANDING__LOGS__LEVEL\nSOFTLANDING__PROFILE=\n"
    )
    assert [fault.removeprefix(f"{tmp_path}/.env:") for fault in faults(tmp_path, dotenv=dotenv)] == [
        "3: SOFTLANDING__ZONE was given in line 1 already; keep one of them",
        "4: cannot be read; a line looks like NAME=value or # a comment",
        "5: SOFTLANDING__LOGS__LEVEL is empty; give it a value or take it out",
        "6: SOFTLANDING__PROFILE is empty; give it a value or take it out",
    ]


@pytest.mark.parametrize("name", ["softlanding.toml", ".env"])
def test_a_settings_file_that_is_a_folder_or_no_text_is_refused(tmp_path, name):
    (tmp_path / name).mkdir()
    [fault] = faults(tmp_path)
    assert fault.startswith(f"{tmp_path}/{name}: is a folder, not a file")
    (tmp_path / name).rmdir()
    (tmp_path / name).write_bytes(b"zone = '\xff'\n")
    [fault] = faults(tmp_path)
    assert fault == f"{tmp_path}/{name}: is not text in UTF-8; save it as UTF-8"


def test_a_secrets_folder_that_is_not_there_is_refused(tmp_path):
    [fault] = faults(tmp_path, SECRETS_FOLDER="nowhere")
    assert fault.startswith(f"{tmp_path}/nowhere: the secrets folder cannot be read")


def test_all_faults_come_in_one_list(tmp_path):
    found = faults(
        tmp_path,
        "not toml",
        "SOFTLANDING__NOPE_NOPE_NOPE=1\n",
        FRONT_DOOR__PORT="x",
        DISPATCH__PORT="y",
        LIFECYCLE__SILENT_AFTER_SECONDS="1",
        NATS__USER="ana",
        SCHEDULE__HOST="0.0.0.0",
    )
    assert len(found) == 7
    assert len(set(found)) == 7


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"NATS__USER": "ana"}, "NATS__USER and nats.password belong together"),
        ({"NATS__PASSWORD": "x"}, "nats.user and nats.password belong together"),
        ({"LIFECYCLE__LEASE_STALE_SECONDS": "1"}, "LIFECYCLE__LEASE_STALE_SECONDS must be at least twice"),
        ({"DATA_FOLDER": "what?password=x"}, "DATA_FOLDER must not contain a question mark"),
        ({"DISPATCH__PORT": "8000"}, "front_door.port is the port of dispatch.port too"),
        ({"DISPATCH__HOST": "0.0.0.0"}, "DISPATCH__HOST is open to other machines"),
        ({"SCHEDULE__ADDRESS": "http://schedule:80"}, "SCHEDULE__ADDRESS is another machine's"),
        ({"NATS__URLS": "nats://n1:4222"}, "NATS__URLS is another machine's"),
        ({"FRONT_DOOR__HOST": "192.168.1.5"}, "FRONT_DOOR__HOST is open to other machines"),
    ],
)
def test_values_that_do_not_go_together_are_refused(environment, says):
    [fault] = faults(**environment)
    assert says in fault


def test_a_wrong_value_is_not_blamed_for_what_follows_from_it():
    assert len(faults(PROFILE="prod", SCHEDULE__HOST="0.0.0.0")) == 1
    assert len(faults(LIFECYCLE__BEAT_SECONDS="often", LIFECYCLE__SILENT_AFTER_SECONDS="1")) == 1


def test_the_front_door_alone_may_be_opened_to_phones():
    settings = loaded(FRONT_DOOR__HOST="192.168.1.5", FRONT_DOOR__LAN="true")
    assert settings.front_door.host == "192.168.1.5"


def test_what_is_fixed_is_no_fault_any_more():
    """Each value that a fault asks for is accepted: nobody runs in circles."""
    settings = load_settings(folder=Path("nowhere"), environment=variables(PRODUCTION))
    assert settings.profile == "production"
    assert settings.nats.urls == ["nats://n1:4222", "nats://n2:4222"]
    assert settings.dispatch.port == 8100


# Production guesses nothing


def test_production_names_every_variable_that_is_missing():
    found = faults(PROFILE="production")
    assert len(found) == len(PRODUCTION) - 1
    for name in PRODUCTION.keys() - {"profile"}:
        assert any(
            fault.startswith(f"{name}: is missing and has no default in production; set {variable(name)} (")
            for fault in found
        )


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_in_production_needs_its_own_database_and_the_others_addresses(service):
    with pytest.raises(Invalid) as caught:
        load_settings(folder=Path("nowhere"), environment={"SOFTLANDING__PROFILE": "production"}, service=service)
    others = [other for other in SERVICES if other != service]
    assert {fault.where for fault in caught.value.faults} == {
        *(f"{service}.{leaf}" for leaf in ("database_url", "host", "port", "health_port")),
        *(f"{other}.{leaf}" for other in others for leaf in ("address", "health_address")),
        *("nats.urls", "front_door.public_url", "session_secret", "peer_token"),
    }


def test_no_address_of_another_machine_has_a_default_outside_the_embedded_profile():
    settings = load_settings(folder=Path("nowhere"), environment=variables(PRODUCTION))
    guessed = [
        setting.name
        for setting in explain(settings)
        if "default" in setting.origin and ("127.0.0.1" in setting.value_shown or "localhost" in setting.value_shown)
    ]
    assert guessed == ["front_door.host"]  # Where it listens itself: closed until somebody opens it.


def test_production_is_safe_unless_said_otherwise():
    environment = variables(PRODUCTION)
    settings = load_settings(folder=Path("nowhere"), environment=environment)
    assert settings.secure_cookies is True
    assert shown(settings)["secure_cookies"].origin == "default of profile production"
    for change, says in [
        ({"SOFTLANDING__FRONT_DOOR__PUBLIC_URL": "http://conference.example"}, "begins with http, where nobody"),
        ({"SOFTLANDING__SECURE_COOKIES": "false"}, "must be true where front_door.public_url begins with https"),
        ({"SOFTLANDING__FRONT_DOOR__LAN": "true"}, "is for profile embedded"),
    ]:
        with pytest.raises(Invalid, match=says):
            load_settings(folder=Path("nowhere"), environment=environment | change)


def test_production_keeps_the_ports_of_one_service_apart():
    with pytest.raises(Invalid, match=r"dispatch\.port too"):
        load_settings(
            folder=Path("nowhere"), environment=variables(PRODUCTION) | {"SOFTLANDING__DISPATCH__HEALTH_PORT": "8100"}
        )


# No secret is shown


# Each begins so that it is no word of ours by chance, and goes on with all that breaks an address.
LETTERS = st.text(ascii_lowercase + digits + "/:?#[]!$&'()*+,;=%@", min_size=9, max_size=40).map("zq9xk7w".__add__)


@given(secret=LETTERS, short=st.integers().map("qz7{}".format), host=st.booleans())
def test_no_secret_is_ever_shown(secret, short, host):
    environment = {
        "SOFTLANDING__SESSION_SECRET": secret,
        "SOFTLANDING__NATS__USER": "ana",
        "SOFTLANDING__NATS__PASSWORD": "nats" + secret,
        "SOFTLANDING__DISPATCH__DATABASE_URL": f"postgresql+psycopg://ana:{secret}@db/dispatch",
        "SOFTLANDING__NATS__URLS": f"nats://ana:{short}@127.0.0.1:4222" if host else f"nats://{short}@127.0.0.1:4222",
    }
    settings = load_settings(folder=Path("nowhere"), environment=environment)
    seen = " ".join([repr(settings), str(settings.nats), *(str(asdict(setting)) for setting in explain(settings))])
    assert secret not in seen
    assert short not in seen
    assert re.fullmatch("hmac:[0-9a-f]{8}", shown(settings)["session_secret"].value_shown)
    assert shown(settings)["dispatch.database_url"].value_shown.endswith("@db/dispatch")


def test_a_password_is_hidden_whole_whatever_signs_it_bears():
    password = "p@ss/wo:rd,"
    url = f"postgresql+psycopg://ana:{password}@db/x"
    for more, expected in (({}, r"\(set\)"), ({"SESSION_SECRET": SECRET}, "hmac:[0-9a-f]{8}")):
        value = shown(loaded(DISPATCH__DATABASE_URL=url, **more))["dispatch.database_url"].value_shown
        assert re.fullmatch(rf"postgresql\+psycopg://ana:{expected}@db/x", value)


def test_nobody_can_try_a_guess_of_a_password_by_what_is_shown():
    """The same password under another session secret looks different, and without one it has no looks at all."""
    url = "postgresql+psycopg://ana:summer@db/x"
    others = ({}, {"SESSION_SECRET": SECRET}, {"SESSION_SECRET": SECRET + "x"})
    of_all = [
        shown(loaded(DISPATCH__DATABASE_URL=url, NATS__USER="ana", NATS__PASSWORD="summer", **more)) for more in others
    ]
    for name in ("dispatch.database_url", "nats.password"):
        assert len({each[name].value_shown for each in of_all}) == 3
        digests = [hashlib.new(kind, b"summer").hexdigest()[:8] for kind in ("md5", "sha1", "sha256", "sha512")]
        assert not [each for each in of_all if any(digest in each[name].value_shown for digest in digests)]
    assert of_all[0]["nats.password"].value_shown == "(set)"
    again = shown(loaded(NATS__USER="ana", NATS__PASSWORD="summer", SESSION_SECRET=SECRET))
    assert again["nats.password"].value_shown == of_all[1]["nats.password"].value_shown


@given(secret=LETTERS)
def test_no_secret_is_ever_quoted_in_a_fault(secret):
    environment = {
        "SOFTLANDING__SESION_SECRET": secret,
        "SOFTLANDING__PEER_TOKEN": "\n" + secret[:9],
        "SOFTLANDING__DISPATCH__DATABASE_URL": f"mysql://ana:{secret}@db/dispatch",
        "SOFTLANDING__SCHEDULE__DATABASE_URL": f"postgresql+psycopg://db/dispatch?password={secret}",
        "SOFTLANDING__NATS__URLS": f"http://ana:{secret}@db",
        "SOFTLANDING__NATS__PASSWORD": secret,
    }
    with pytest.raises(Invalid) as caught:
        load_settings(folder=Path("nowhere"), environment=environment)
    assert len(caught.value.faults) == 6
    assert secret not in str(caught.value)
    assert secret[:9] not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or secret not in repr(caught.value.__context__)


def test_a_secret_changes_its_fingerprint_when_it_changes():
    one, other = (shown(loaded(SESSION_SECRET=text))["session_secret"].value_shown for text in (SECRET, SECRET + "x"))
    assert one != other


def test_settings_files_with_secrets_that_everybody_can_read_are_warned_of(tmp_path):
    tmp_path.chmod(0o755)
    assert loaded(tmp_path, dotenv="SOFTLANDING__ZONE=UTC\n").warnings == ()
    (tmp_path / ".env").write_text(f"SOFTLANDING__PEER_TOKEN={SECRET}\n")
    (tmp_path / ".env").chmod(0o644)
    [warning] = loaded(tmp_path).warnings
    assert "can read .env" in str(warning)
    (tmp_path / ".env").chmod(0o600)
    assert loaded(tmp_path).warnings == ()


# What others do with them


def test_settings_are_frozen():
    settings = loaded()
    with pytest.raises(ValidationError):
        settings.profile = "production"
    with pytest.raises(ValidationError):
        settings.dispatch.port = 1


def test_values_are_replaced_into_new_settings_that_are_checked_alike(tmp_path):
    before = loaded(tmp_path, FRONT_DOOR__PORT="8080")
    after = with_values(
        before, {"dispatch.port": 8102, "dispatch.address": "http://127.0.0.1:8102"}, origin="the supervisor"
    )
    assert before.dispatch.port is None
    assert (after.dispatch.port, after.front_door.port) == (8102, 8080)
    assert shown(after)["dispatch.port"].origin == "the supervisor"
    assert shown(after)["front_door.port"].origin == "environment SOFTLANDING__FRONT_DOOR__PORT"
    assert with_values(after, {}, origin="nobody") == after
    assert with_values(after, {"data_folder": "/srv/x"}, origin="x").dispatch.database_url == (
        "sqlite:////srv/x/dispatch.db"
    )
    with pytest.raises(Invalid, match=r"the supervisor: dispatch\.prot is not a setting"):
        with_values(before, {"dispatch.prot": 1}, origin="the supervisor")
    with pytest.raises(Invalid, match=r"the supervisor: dispatch\.port must be at least 1"):
        with_values(before, {"dispatch.port": -1}, origin="the supervisor")


CHOICES = st.fixed_dictionaries(
    {},
    optional={
        "front_door.port": st.integers(9000, 9999),
        "front_door.lan": st.booleans(),
        "dispatch.freeze_minutes": st.floats(0, 1e6),
        "dispatch.ride_limit_factor": st.floats(1, 10),
        "statistics.log_keep_days": st.integers(1, 3650),
        "nats.urls": st.lists(st.sampled_from(["nats://127.0.0.1:4222", "tls://localhost:4223"]), max_size=3),
        "session_secret": st.text(max_size=20).map(lambda text: text + SECRET),
        "data_folder": st.sampled_from(["var", "other", "/srv/data"]),
        "logs.level": st.sampled_from(["debug", "info"]),
        "zone": st.just("Asia/Kolkata"),
    },
)


@given(values=CHOICES)
def test_a_child_process_gets_exactly_these_settings(values):
    parent = load_settings(folder=Path("nowhere"), environment={}, command_line=values)
    child = load_settings(folder=Path("nowhere"), environment=to_environment(parent))
    assert child == parent
    assert fingerprint(child) == fingerprint(parent)


def test_a_child_process_hears_also_of_a_default_that_was_chosen_against_a_file(tmp_path):
    (tmp_path / "softlanding.toml").write_text("front_door.port = 9999\n")
    parent = load_settings(folder=tmp_path, environment={}, command_line={"front_door.port": 8000})
    child = load_settings(folder=tmp_path, environment=to_environment(parent))
    assert child.front_door.port == 8000


def test_a_child_in_production_gets_exactly_these_settings_too():
    parent = load_settings(folder=Path("nowhere"), environment=variables(PRODUCTION), service="dispatch")
    assert load_settings(folder=Path("nowhere"), environment=to_environment(parent), service="dispatch") == parent


def test_every_value_counts_in_the_fingerprint():
    base = loaded()
    assert len(fingerprint(base)) == 12
    assert fingerprint(base) == fingerprint(loaded())
    assert len({fingerprint(loaded(SESSION_SECRET=SECRET + end)) for end in "abc"} | {fingerprint(base)}) == 4


def test_what_is_required_is_asked_for_by_its_variable():
    settings = loaded(DISPATCH__PORT="8102")
    assert required(settings.dispatch.port, "dispatch.port") == 8102
    with pytest.raises(Invalid, match=r"peer_token: is not set; set SOFTLANDING__PEER_TOKEN \(By it services trust"):
        required(settings.peer_token, "peer_token")


def test_children_that_are_not_ours_get_none_of_our_settings():
    environment = {
        "PATH": "/bin",
        "SOFTLANDING__PEER_TOKEN": SECRET,
        "softlanding__x": "1",
        "SOFTLANDING_REAL_DATA": "1",
    }
    assert plain_environment(environment) == {"PATH": "/bin", "SOFTLANDING_REAL_DATA": "1"}


def test_each_setting_is_explained_in_a_sentence():
    for setting in ALL:
        assert setting.meaning.endswith("."), setting.name
        assert setting.variable == variable(setting.name)
    assert [setting.name for setting in ALL if setting.is_secret] == [
        *("session_secret", "peer_token", "session_secret_previous", "peer_token_previous"),
        *("nats.password", "nats.credentials"),
    ]


def test_numbers_bear_their_unit():
    """A number without a unit is read wrong by somebody: it ends in its unit, or it is a port."""
    units = ("_minutes", "_seconds", "_days", "_hours", "_max", "_factor", "port")
    names = [name for name, annotation in annotations(Settings) if annotation in (int, float)]
    assert len(names) > 15
    assert [name for name in names if not name.endswith(units)] == []


def annotations(model: type[BaseModel]):
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from annotations(info.annotation)
        else:
            yield name, info.annotation


# The example


def test_the_example_file_is_not_stale():
    assert (REPOSITORY / ".env.example").read_text("utf-8") == example_text(), (
        "run: softlanding settings --example > .env.example"
    )


def test_the_example_is_valid_as_it_is_and_bears_every_setting(tmp_path):
    assert loaded(tmp_path, dotenv=example_text()) == loaded(tmp_path)
    named = [line.split("=")[0] for line in example_text().splitlines() if line.startswith("#SOFTLANDING__")]
    assert named == [f"#{setting.variable}" for setting in ALL]


def test_every_value_in_the_example_is_a_good_one(tmp_path):
    lines = [line for line in example_text().splitlines() if line.startswith("#SOFTLANDING__")]
    chosen = [line[1:] for line in lines if not line.endswith("=") and "__PROFILE=" not in line]
    chosen = [line for line in chosen if "SECRETS_FOLDER" not in line]
    environment = {f"SOFTLANDING__{name}": SECRET for name in ("SESSION_SECRET", "NATS__PASSWORD")}
    environment["SOFTLANDING__PEER_TOKEN"] = SECRET[::-1]
    (tmp_path / ".env").write_text("\n".join(chosen))
    settings = load_settings(folder=tmp_path, environment={**environment, "SOFTLANDING__PROFILE": "production"})
    assert settings.dispatch.address == "http://dispatch:8200"


def test_settings_load_nothing_heavy():
    heavy = "('sqlalchemy', 'fastapi', 'nats', 'structlog', 'uvicorn', 'httpx', 'jinja2', 'starlette')"
    code = f"import sys, softlanding.settings; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("weak", "why"),
    [
        ("aaaaaaaaaaaaaaaaaaaaaaaa", "different characters"),
        ("abababababababababababab", "different characters"),
        ("correct-horse-correct-horse-", "repeated"),
        ("passwordpassword", "repeated"),
        ("Password1234567890", "words such as"),
        ("change-me-this-secret", "words such as"),
        ("placeholder-session-secret", "words such as"),
        ("abcdefghijklmnopqrstuvwx", "in their order"),
        ("0123456789abcdef0123", "in their order"),
    ],
)
@pytest.mark.parametrize("name", ["session_secret", "peer_token", "session_secret_previous", "peer_token_previous"])
def test_a_secret_that_is_guessed_first_is_refused_in_words_and_not_quoted(tmp_path, weak, why, name):
    [fault] = faults(tmp_path, **{name.upper(): weak})
    assert why in fault
    assert weak not in fault


@pytest.mark.parametrize("count", range(200))
def test_random_secrets_pass(count):
    rng = random.Random(count)
    for make in (lambda: rng.randbytes(8).hex(), lambda: str(rng.randrange(10**39, 10**40))):
        assert hard_to_guess(SecretStr(make()))


def test_production_has_two_secrets_not_one_twice(tmp_path):
    values = PRODUCTION | {"peer_token": PRODUCTION["session_secret"]}
    with pytest.raises(Invalid, match="another text than peer_token"):
        load_settings(folder=tmp_path, environment=variables(values))
