"""Identity: users and their access keys, who they are to the data path, what they may do.

`services` are the only writers. `keyring` is the snapshot the data path reads, `policy` the pure
decision; these two know no Django. `sealing` keeps secrets encrypted under the server key.
"""
