"""Schedule keeps the programme: talks get slots and rooms, releases of it are published and stay readable when this
service is dead, and each speaker's arrival becomes a pickup that is asked for until Dispatch has answered.
"""
