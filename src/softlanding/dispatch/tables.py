"""The tables that Dispatch owns. Whoever looks from outside finds the truth about rides in three of them:

`pickup`  one row a pickup, for ever. `status` says what became of it (model.py names the words). While it is
          `planned`, `accepted`, `arrived` or `boarded` it is on the vehicle of `shift`; while it is `unplaced` it is on
          nobody's, and `reason` says why. Nothing open is in any other state.
`stop`    where and when each of those boards and alights: two rows a pickup, of one shift. A ride that is delivered
          leaves its rows behind only until the vehicle is empty.
`plan`    one row a conference: the number of the plan in force and when it was made.
"""

import sqlalchemy as sa

from softlanding.database import Moment

tables = sa.MetaData()

places = sa.Table(
    "place",
    tables,
    sa.Column("conference", sa.String(80), primary_key=True),
    sa.Column("slug", sa.String(60), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("latitude", sa.Float, nullable=False),
    sa.Column("longitude", sa.Float, nullable=False),
    sa.Column("zone", sa.String(60), nullable=False),
    sa.Column("iata", sa.String(3), nullable=False),
    sa.Column("address", sa.String(300), nullable=False),
    sa.Column("note", sa.String(300), nullable=False),
    sa.Column("exit_international_min", sa.Integer),  # From landing to the kerb; None: as the settings say.
    sa.Column("exit_domestic_min", sa.Integer),
)
vehicles = sa.Table(
    "vehicle",
    tables,
    sa.Column("conference", sa.String(80), primary_key=True),
    sa.Column("code", sa.String(8), primary_key=True),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("plate", sa.String(40), nullable=False),
    sa.Column("seats", sa.Integer, nullable=False),
    sa.Column("luggage", sa.Integer, nullable=False),
    sa.Column("wheelchair_places", sa.Integer, nullable=False),
    sa.Column("start_place", sa.String(60)),
)
drivers = sa.Table(
    "driver",
    tables,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("conference", sa.String(80), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("phone", sa.String(60), nullable=False),
    # By what the personal link is found: its id, or of one made before there were ids its hash; another one ends it.
    sa.Column("token", sa.String(40), nullable=False, unique=True),
    sa.Column("seen_at", Moment),
    sa.Column("removed_at", Moment),
    sa.Column("link", sa.String(36)),  # The id that the link's address is made from; none: revoked, or not sealed yet.
    sa.Index("driver_of_conference", "conference", "name"),
    sa.Index("driver_by_link", "link", unique=True),
)
shifts = sa.Table(
    "shift",
    tables,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("conference", sa.String(80), nullable=False),
    sa.Column("vehicle", sa.String(8), nullable=False),  # Its code.
    sa.Column("driver", sa.String(36), nullable=False),
    sa.Column("from_at", Moment, nullable=False),
    sa.Column("to_at", Moment, nullable=False),
    sa.Column("start_place", sa.String(60), nullable=False),
    sa.Column("at_place", sa.String(60)),  # Where the car was last known to be empty, and since when.
    sa.Column("at_since", Moment),
    sa.UniqueConstraint("conference", "vehicle", "from_at"),
    sa.Index("shift_of_driver", "driver", "from_at"),
)
pickups = sa.Table(
    "pickup",
    tables,
    # As Schedule asked, in its newest revision.
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("conference", sa.String(80), nullable=False),
    sa.Column("code", sa.String(8), nullable=False),
    sa.Column("epoch", sa.String(36), nullable=False),  # Of Schedule: revisions compare within one.
    sa.Column("asked_sequence", sa.BigInteger),  # Number of its newest word in that epoch; older releases leave none.
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("direction", sa.String(12), nullable=False),
    sa.Column("speaker", sa.String(80), nullable=False),
    sa.Column("speaker_name", sa.String(300), nullable=False),
    sa.Column("phone", sa.String(80), nullable=False),
    sa.Column("travel_number", sa.String(80), nullable=False),
    sa.Column("from_text", sa.String(300), nullable=False),
    sa.Column("to_text", sa.String(300), nullable=False),
    sa.Column("landing_at", Moment, nullable=False),
    sa.Column("party", sa.Integer, nullable=False),
    sa.Column("luggage", sa.Integer, nullable=False),
    sa.Column("wheelchairs", sa.Integer, nullable=False),
    sa.Column("talk", sa.String(80)),
    sa.Column("talk_title", sa.String(500)),
    sa.Column("deadline_at", Moment),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("requested_at", Moment, nullable=False),
    sa.Column("answer_by", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    # What Dispatch made of it.
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("from_place", sa.String(60)),
    sa.Column("to_place", sa.String(60)),
    sa.Column("ready_at", Moment, nullable=False),
    sa.Column("latest_board_at", Moment, nullable=False),
    sa.Column("due_at", Moment, nullable=False),  # Missed from then on: `expires_at`, unless a person gave more time.
    sa.Column("shift", sa.String(36)),
    sa.Column("last_shift", sa.String(36)),  # Whose driver is told to stand down, or may still know better.
    sa.Column("vehicle", sa.String(100)),
    sa.Column("board_at", Moment),  # As planned.
    sa.Column("deliver_at", Moment),
    sa.Column("plan", sa.Integer),
    sa.Column("is_pinned", sa.Boolean, nullable=False),  # A person chose the vehicle; no plan takes it away.
    sa.Column("is_held", sa.Boolean, nullable=False),  # A person took it back; no plan places it again.
    sa.Column("tried", sa.String(36)),  # The `plan.freed` at which a place was last sought for it.
    sa.Column("tried_at", Moment),
    sa.Column("risk_revision", sa.Integer),  # The revision about which the talk was last said to be at risk.
    sa.Column("accepted_at", Moment),
    sa.Column("arrived_at", Moment),
    sa.Column("boarded_at", Moment),
    sa.Column("delivered_at", Moment),
    sa.Column("ended_at", Moment),  # Missed, no-show, stood down or refused since.
    sa.Column("asked_at", Moment, nullable=False),  # When Schedule told the newest revision, and when it was heard.
    sa.Column("heard_at", Moment, nullable=False),
    sa.Index("pickup_by_status", "conference", "status", "due_at"),
    sa.Index("pickup_due", "status", "due_at"),
    sa.Index("pickup_by_code", "conference", "code"),
    sa.Index("pickup_of_shift", "shift"),
    sa.Index("pickup_last_of_shift", "last_shift"),
)
stops = sa.Table(
    "stop",
    tables,
    sa.Column("pickup", sa.String(36), primary_key=True),
    sa.Column("kind", sa.String(6), primary_key=True),  # `board` or `alight`
    sa.Column("conference", sa.String(80), nullable=False),
    sa.Column("shift", sa.String(36), nullable=False),
    sa.Column("vehicle", sa.String(8), nullable=False),  # Its code.
    sa.Column("position", sa.Integer, nullable=False),  # Those of one position are one halt.
    sa.Column("place", sa.String(60), nullable=False),
    sa.Column("arrive_at", Moment, nullable=False),
    sa.Column("begin_at", Moment, nullable=False),
    sa.Column("depart_at", Moment, nullable=False),
    sa.Index("stop_of_shift", "shift", "position"),
    sa.Index("stop_of_conference", "conference"),
)
plans = sa.Table(
    "plan",
    tables,
    sa.Column("conference", sa.String(80), primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("made_at", Moment, nullable=False),
    sa.Column("stamp", sa.String(36), nullable=False),  # Another one with every change of what plans are made from.
    sa.Column("freed", sa.String(36), nullable=False),  # Another one when somebody without a place might get one.
)
sheet_links = sa.Table(
    "sheet_link",
    tables,
    sa.Column("conference", sa.String(80), primary_key=True),
    sa.Column("link", sa.String(36), nullable=False),  # The id that the address of its run sheets is made from.
)
history = sa.Table(
    "history",
    tables,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("pickup", sa.String(36), nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("by", sa.String(200), nullable=False),
    sa.Index("history_of_pickup", "pickup", "id"),
)
told = sa.Table(
    "told",
    tables,
    # A driver who was shown a ride: what they know of it, and what is in force for them. Where the two differ, nobody
    # has seen it yet. "" is a ride that is not theirs.
    sa.Column("driver", sa.String(36), primary_key=True),
    sa.Column("pickup", sa.String(36), primary_key=True),
    sa.Column("conference", sa.String(80), nullable=False),
    sa.Column("seen", sa.Text, nullable=False),
    sa.Column("seen_at", Moment, nullable=False),
    sa.Column("now", sa.Text, nullable=False),
    sa.Column("now_at", Moment, nullable=False),
    sa.Index("told_of_pickup", "pickup"),
    sa.Index("told_of_conference", "conference"),
)
