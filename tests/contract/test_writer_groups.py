"""Groups are run without savepoints where these cost round trips: nobody may notice but by the clock."""

import sqlalchemy as sa
from test_database import a_life, engine, keep, notes, sequences, texts, url

from softlanding.database import DirectDatabase, Work
from softlanding.errors import Refused, Unavailable

__all__ = ["engine", "url"]  # Fixtures.


def refuse(tx, now, text):
    keep(tx, now, text)
    raise Refused(f"not {text}")


def keep_and_hush(tx, now, text):
    try:
        tx.execute(sa.insert(notes).values(text=text))
    except sa.exc.IntegrityError:
        return "hushed"
    return text


def test_who_is_refused_alone_leaves_nothing_and_the_writer_goes_on(url, engine):
    writer = a_life(url)
    database = DirectDatabase(engine, writer)
    alone, after = Work(refuse, ("a",), {}), Work(keep, ("b",), {})

    writer.run_group([alone])
    writer.run_group([after])

    assert str(alone.error) == "not a"
    assert (after.error, after.result) == (None, "b")
    assert database.read_now(texts) == ["b"]
    assert database.read_now(sequences, writer.life) == [1, 2]


def test_of_a_group_only_the_failing_ones_fail(url, engine):
    writer = a_life(url)
    database = DirectDatabase(engine, writer)
    database.write_now(keep, "there")
    works = [Work(keep, ("a",), {}), Work(refuse, ("b",), {}), Work(keep, ("there",), {}), Work(keep, ("c",), {})]

    writer.run_group(works)

    assert [type(work.error).__name__ for work in works] == ["NoneType", "Refused", "IntegrityError", "NoneType"]
    assert database.read_now(texts) == ["a", "c", "there"]
    assert database.read_now(sequences, writer.life) == [1, 2, 3, 4]


def test_an_action_that_hushes_an_error_up_is_not_answered_as_if_it_had_been_kept(url, engine):
    writer = a_life(url)
    database = DirectDatabase(engine, writer)
    database.write_now(keep, "there")
    works = [Work(keep, ("a",), {}), Work(keep_and_hush, ("there",), {})]

    writer.run_group(works)

    is_kept = works[0].error is None
    assert database.read_now(texts) == (["a", "there"] if is_kept else ["there"])
    assert is_kept or all(isinstance(work.error, Unavailable) for work in works)
    alone = Work(keep_and_hush, ("there",), {})
    writer.run_group([alone])
    assert alone.error is None if url.startswith("sqlite") else isinstance(alone.error, Unavailable)
    database.write_now(keep, "b")
    assert "b" in database.read_now(texts)
