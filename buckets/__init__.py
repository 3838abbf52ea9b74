"""Buckets: their names, owners and configuration; the SQL side of the engine's namespaces.

`services` are the only writers; `registry` is the snapshot the data path reads; `naming` holds
AWS's rules. A bucket's primary key is its namespace id in the engine.
"""
