"""`partywall audit`: what lets one tenant reach another, for people, programs and code scanning."""
