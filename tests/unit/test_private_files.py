"""What an installation keeps is its owner's alone; what somebody else keeps beside it is left as it is."""

from pathlib import Path

from softlanding.private_files import close_to_others, is_open, open_to_others


def made(folder: Path, *names: str) -> Path:
    """A data folder as an older release left it."""
    folder.mkdir(mode=0o755)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("a phone")
        (folder / name).chmod(0o644)
        (folder / name).parent.chmod(0o755)
    return folder


def test_an_open_folder_is_said_and_closed_with_all_that_is_ours(tmp_path: Path) -> None:
    data = made(tmp_path / "data", "schedule.db", "schedule.db-wal", "site/conf/r1/index.html", "logs/schedule.log")
    assert "chmod -R go-rwx" in str(open_to_others(data)[0])
    assert close_to_others(data) == 9
    assert open_to_others(data) == ()
    assert [path for path in (data, *data.rglob("*")) if is_open(path)] == []
    assert close_to_others(data) == 0


def test_what_is_not_ours_and_where_links_lead_stays_as_it_is(tmp_path: Path) -> None:
    data, other = made(tmp_path / "data", "thesis.odt", "site/page.html"), tmp_path / "other.txt"
    other.write_text("theirs")
    other.chmod(0o644)
    (data / "site" / "link").symlink_to(other)
    close_to_others(data)
    assert is_open(data / "thesis.odt")
    assert is_open(other)
    assert not is_open(data / "site" / "page.html")


def test_a_folder_that_everybody_shares_is_never_closed(tmp_path: Path) -> None:
    shared = made(tmp_path / "shared")
    shared.chmod(0o1777)
    assert close_to_others(shared) == 0
    assert len(open_to_others(shared)) == 1
