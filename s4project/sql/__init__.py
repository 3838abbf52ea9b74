"""How S4 meets its SQL database: where it is, how long it is waited for, what its absence means."""
