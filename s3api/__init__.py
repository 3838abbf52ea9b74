"""The S3 side: an ASGI application that speaks SigV4 S3 over the storage engine.

A request falls through the rooms in order: target, route, authenticate, bind, authorise, operate,
respond. `s3api.app` alone knows that order; each room knows only those below it.
"""
