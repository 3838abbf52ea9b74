"""Identity over HTTP: the REST API's calls for tokens, users, keys, and what every call obeys.

Declarations over `iam.services`: who may ask, what a call takes and answers. `s4project.api` puts
them under their addresses, beside those for buckets and the store.
"""
