"""`partywall prove`: the isolation of every task, proven on servers for the occasion or on those one is given."""
