"""What can happen in Dispatch: one function, one transaction, one story each.

`pickups` hears what Schedule asks and what people decide, `taps` what drivers say, `fleet` keeps places, vehicles,
drivers and shifts, `imports` takes whole tables of them, `sample` the sample's.
"""
