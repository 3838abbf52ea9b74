"""S3 over HTTP: a raw ASGI application that knows the wire, and the engine only by its facade."""
