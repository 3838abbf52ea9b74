"""Django's backend for PostgreSQL, bounded: in time, in number, and while the server is away."""
