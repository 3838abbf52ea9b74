"""HTTP/2 beside HTTP/1.1, for connections that agreed on it (ALPN): RFC 9113, by the h2 library.

`head` reads requests' heads, `budget` and `turns` bound and order, `stream` is one request and its
reply as ASGI has it, `connection` is what they share.
"""
