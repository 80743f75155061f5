"""Secrets come from files, and a file that is no secret is refused in words."""

import os
from pathlib import Path

import pytest

from softlanding.secret_sources import SECRET_BYTES_MAX, Found, Secret, read_file, read_folder


def a_folder(tmp_path: Path, **files: str) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o700)
    for name, text in files.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    return folder


def test_each_file_is_a_secret_without_the_white_space_around_it(tmp_path):
    folder = a_folder(tmp_path, session_secret="  correct horse\n", nats__password="battery")
    assert read_folder(folder) == Found(
        secrets=(
            Secret("nats__password", "battery", str(folder / "nats__password")),
            Secret("session_secret", "correct horse", str(folder / "session_secret")),
        )
    )


def test_kubernetes_own_entries_are_passed_over_and_its_links_are_followed(tmp_path):
    folder = a_folder(tmp_path)
    (folder / "..2026").mkdir()
    (folder / "..2026" / "session_secret").write_text("through two links")
    (folder / "..data").symlink_to("..2026")
    (folder / "session_secret").symlink_to("..data/session_secret")
    (folder / "kubernetes.io").mkdir()
    found = read_folder(folder)
    assert [(secret.name, secret.text) for secret in found.secrets] == [("session_secret", "through two links")]
    assert found.faults == ()


def test_a_missing_folder_is_a_fault_that_names_it(tmp_path):
    [fault] = read_folder(tmp_path / "nowhere").faults
    assert str(fault) == f"{tmp_path}/nowhere: the secrets folder cannot be read (no such file or directory)"


def make_empty(path):
    path.write_text("  \n")


def make_folder(path):
    path.mkdir()


def make_pipe(path):
    os.mkfifo(path)


def make_binary(path):
    path.write_bytes(b"\xff\xfe\x00")


def make_large(path):
    path.write_bytes(b"x" * (SECRET_BYTES_MAX + 1))


def make_broken_link(path):
    path.symlink_to("nothing")


def make_zero_byte(path):
    path.write_bytes(b"half\0half")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (make_empty, "is empty"),
        (make_folder, "is a folder, not a file"),
        (make_pipe, "is not a regular file"),
        (make_binary, "is not text in UTF-8"),
        (make_large, "is larger than 65536 bytes"),
        (make_broken_link, "cannot be read (no such file or directory)"),
        (make_zero_byte, "contains a zero byte"),
    ],
)
def test_what_is_no_secret_is_refused_and_all_others_are_still_read(tmp_path, make, says):
    folder = a_folder(tmp_path, peer_token="a token that is fine")
    make(folder / "session_secret")
    found = read_folder(folder)
    [fault] = found.faults
    assert fault.where == str(folder / "session_secret")
    assert says in fault.what
    assert [secret.name for secret in found.secrets] == ["peer_token"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_the_right_to_read_it_is_refused(tmp_path):
    folder = a_folder(tmp_path, session_secret="closed to all of us")
    (folder / "session_secret").chmod(0)
    assert "permission denied" in str(read_file(folder / "session_secret"))


def test_files_that_everybody_can_read_are_warned_of_once(tmp_path):
    folder = a_folder(tmp_path, session_secret="much too open here", peer_token="as open as the other", closed="fine")
    (folder / "session_secret").chmod(0o644)
    (folder / "peer_token").chmod(0o644)
    folder.chmod(0o755)
    [warning] = read_folder(folder).warnings
    assert "can read peer_token, session_secret;" in warning.what
    assert "chmod o-rwx" in warning.what


def test_open_files_in_a_closed_folder_need_no_warning(tmp_path):
    folder = a_folder(tmp_path, session_secret="behind a closed door")
    (folder / "session_secret").chmod(0o644)
    assert read_folder(folder).warnings == ()


def test_a_secret_does_not_show_itself():
    assert "hunter2" not in repr(Secret("nats__password", "hunter2", "somewhere"))
