"""Statistics keeps what happened, counts it, and says aloud what went silent.

It hears every fact of Schedule and Dispatch once and keeps it without what it tells about persons; it counts pickups by
state and how long people waited; it tells one pickup's story through all services, and each death with what it cost.
It decides nothing for the others: dead for a day, it catches up and says the same as if it had listened all the time.
"""
