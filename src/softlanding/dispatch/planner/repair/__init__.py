"""A plan after news: in the routes that it touches, and with room made by others only before somebody is stranded."""
