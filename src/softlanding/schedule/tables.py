"""The tables that Schedule owns. Programmes are kept whole, as text: one per draft and one per release."""

import sqlalchemy as sa

from softlanding.database import Moment

tables = sa.MetaData()

programmes = sa.Table(
    "programme",
    tables,
    sa.Column("conference", sa.String(80), primary_key=True),
    sa.Column("draft", sa.Text, nullable=False),  # JSON of the Programme.
    sa.Column("digest", sa.String(64), nullable=False),  # Of the draft: the same file twice changes nothing.
    sa.Column("changed_at", Moment, nullable=False),
    sa.Column("imported", sa.Text, nullable=False),  # JSON: what the last import said.
    sa.Column("release", sa.Integer, nullable=False),  # The newest release's number; 0: none yet.
)
releases = sa.Table(
    "release",
    tables,
    sa.Column("conference", sa.String(80), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("released_by", sa.String(200), nullable=False),
    sa.Column("released_at", Moment, nullable=False),
    sa.Column("programme", sa.Text, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("draft_digest", sa.String(64), nullable=False),  # Of the draft that was frozen.
    sa.Column("removed", sa.Text, nullable=False),  # JSON: talks of earlier releases that are in it no more.
    sa.Column("changes", sa.Text, nullable=False),  # JSON: since the release before.
    sa.Column("talks", sa.Integer, nullable=False),
    sa.Column("speakers", sa.Integer, nullable=False),
    sa.Column("rooms", sa.Integer, nullable=False),
)
publications = sa.Table(
    "publication",
    tables,
    sa.Column("conference", sa.String(80), primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),  # The release whose files are served; 0: none.
    sa.Column("public_at", Moment),
    sa.Column("failing_since", Moment),  # The publisher tries the newest release, and cannot.
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("called_for", sa.Integer, nullable=False),  # The release for which a person was called.
)
speakers = sa.Table(
    "speaker",
    tables,
    sa.Column("conference", sa.String(80), primary_key=True),
    sa.Column("code", sa.String(40), primary_key=True),
    sa.Column("name", sa.String(300), nullable=False),
    sa.Column("folded", sa.String(300), nullable=False),  # The name as people are looked up by it.
    sa.Column("email", sa.String(300), nullable=False),
    sa.Column("talks", sa.Text, nullable=False),  # JSON: their talks in the newest release, in order of time.
    sa.Column("is_linked", sa.Boolean, nullable=False),  # A personal link was made.
    sa.Index("speaker_by_name", "conference", "folded"),
    sa.Index("speaker_without_link", "is_linked"),
)
speaker_links = sa.Table(
    "speaker_link",
    tables,
    sa.Column("token", sa.String(64), primary_key=True),  # Its id; of links made before there were ids, a hash.
    sa.Column("conference", sa.String(80), nullable=False),
    sa.Column("speaker", sa.String(40), nullable=False),
    sa.Column("live_for", sa.String(130), unique=True),  # Empty once revoked: a speaker has one live link.
    sa.Column("made_at", Moment, nullable=False),
    sa.Column("revoked_at", Moment),
    sa.Column("seen_at", Moment),
    sa.Column("link", sa.String(36)),  # The id that the address is made from; none yet: not sealed.
    sa.Column("ended_by", sa.String(20)),  # renewed, revoked, left
    sa.Index("speaker_link_by_link", "link", unique=True),
)
sign_in_links = sa.Table(
    "sign_in_link",
    tables,
    sa.Column("token_hash", sa.String(64), primary_key=True),
    sa.Column("person", sa.String(36), nullable=False),
    sa.Column("made_at", Moment, nullable=False),
)
journeys = sa.Table(
    "journey",
    tables,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("conference", sa.String(80), nullable=False),
    sa.Column("speaker", sa.String(40), nullable=False),
    sa.Column("speaker_name", sa.String(300), nullable=False),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("number", sa.String(40), nullable=False),
    sa.Column("place", sa.String(200), nullable=False),
    sa.Column("zone", sa.String(60), nullable=False),
    sa.Column("landing_at", Moment, nullable=False),
    sa.Column("party", sa.Integer, nullable=False),
    sa.Column("luggage", sa.Integer, nullable=False),
    sa.Column("wheelchairs", sa.Integer, nullable=False),
    sa.Column("to_place", sa.String(200), nullable=False),
    sa.Column("phone", sa.String(60), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("news", sa.String(20), nullable=False),  # Empty: nothing was heard.
    sa.Column("news_expected_at", Moment),
    sa.Column("news_at", Moment),
    sa.Column("news_source", sa.String(60), nullable=False),
    sa.Column("news_note", sa.Text, nullable=False),
    sa.Column("pickup", sa.String(36)),  # The last one asked for.
    sa.Column("leg", sa.String(160), nullable=False),
    sa.Column("source_key", sa.String(400), unique=True),  # The row of a file that it came from.
    sa.Column("source_digest", sa.String(64)),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("announced_at", Moment, nullable=False),
    sa.Column("withdrawn_at", Moment),
    sa.Index("journey_by_conference", "conference", "landing_at"),
    sa.Index("journey_by_leg", "leg"),
    sa.Index("journey_by_speaker", "conference", "speaker"),
)
pickups = sa.Table(
    "pickup",
    tables,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("conference", sa.String(80), nullable=False),
    sa.Column("journey", sa.String(36), nullable=False),
    sa.Column("open_leg", sa.String(160), unique=True),  # Empty once it is closed: a leg has one open pickup.
    sa.Column("code", sa.String(12), nullable=False, unique=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("status", sa.String(20), nullable=False),  # requested, changed, withdrawn, closed
    sa.Column("asked", sa.Text, nullable=False),  # JSON: the whole state as it was last told.
    sa.Column("by_hand_by", sa.String(200)),
    sa.Column("by_hand_word", sa.String(500)),
    sa.Column("by_hand_at", Moment),
    sa.Index("pickup_by_conference", "conference", "status"),
    sa.Index("pickup_by_journey", "journey"),
)
rides = sa.Table(
    "ride",
    tables,
    sa.Column("pickup", sa.String(36), primary_key=True),
    sa.Column("epoch", sa.String(36), nullable=False),  # Of Dispatch: revisions compare within one.
    sa.Column("sequence", sa.BigInteger),  # Number of this word in that epoch; older releases leave none.
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # JSON: the whole state as Dispatch told it.
    sa.Column("heard_at", Moment, nullable=False),
)
watches = sa.Table(
    "watch",
    tables,
    sa.Column("pickup", sa.String(36), primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True),
    sa.Column("conference", sa.String(80), nullable=False),
    sa.Column("begun_at", Moment, nullable=False),
    sa.Column("answer_by", Moment, nullable=False),
    sa.Column("ended_at", Moment),  # By Dispatch's word about this revision, and by nothing else.
    sa.Column("ended_by", sa.String(40)),
    sa.Column("replaced_by", sa.Integer),  # A later revision is asked for: that one has a watch of its own.
    sa.Column("unanswered_at", Moment),
    sa.Column("incident", sa.String(36)),
    sa.Column("quiet_until", Moment),  # A person has seen it and goes on waiting.
    sa.Index("watch_running", "ended_at", "unanswered_at", "answer_by"),
)
flags = sa.Table(
    "flag",
    tables,
    sa.Column("name", sa.String(120), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
