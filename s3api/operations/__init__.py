"""What S4 does for each AWS operation: a file per family of verbs, one table in `registry`.

Handlers take a bound `Call` and return an `Answer`; they decide S3's rules and error codes, and
know nothing of sockets, XML or SQL.
"""
