"""TLS in S4 itself: the certificate and its key, their renewal, and connections under TLS.

`certificate` reads and checks files, `keeper` follows them while S4 runs, `connection` speaks TLS
beneath either HTTP, `making` makes certificates for homes and labs.
"""
