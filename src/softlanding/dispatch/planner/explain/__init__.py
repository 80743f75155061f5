"""Why a ride is where it is, or nowhere: reasons, ways out of them, and what differs between two plans."""
