"""The admin REST API: its addresses, its settings, its document, and the calls about the store.

Calls about identity are declared in `iam.api`. Those about buckets and objects are S3's own
operations under other names, so that who may do what is decided in one place.
"""
