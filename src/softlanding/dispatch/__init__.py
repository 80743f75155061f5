"""Each speaker is fetched in time, or somebody is told why not, early enough to help.

Dispatch holds the fleet, its shifts and the manifests. A ride asked for gets a place in a manifest that keeps every
limit (seats, windows, the longest ride, shifts, breaks, locks), or is `unplaced`, with the constraint that binds
and the ways out with their price; nobody already planned is moved to another vehicle for it. No plan is shown that
the validator, which shares no code with the planner, finds fault with. Dispatch alone says that a pickup was
missed.
"""
