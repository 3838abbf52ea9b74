"""Django's backend for PostgreSQL through S4's gate, with an end to every wait for an answer.

The server ends statements that take too long (`address.DEFAULTS`). A server that stands still ends
nothing: then the client does.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg
from django.db.backends.postgresql import base
from psycopg import IsolationLevel
from psycopg.errors import _WaitTimeout

from s4project.sql.address import STATEMENT_MS
from s4project.sql.gate import AwayError, Turn, gate

if TYPE_CHECKING:
    from collections.abc import Iterator

ANSWER_SECONDS: Final = STATEMENT_MS / 1000 + 5
ENCODINGS: Final = ("UTF8", None)  # None: who is in between does not say
SYNCED: Final = (  # other ways than `off` sync too, and wait for standbys or not, as somebody chose
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') = 'off'"
)
UNHURRIED: Final = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


class Patient(psycopg.Connection[Any]):
    """A connection whose patience ends."""

    seconds: float | None = ANSWER_SECONDS

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for the server; OperationalError, and a closed connection, when it hangs."""
        try:
            return super().wait(gen, interval, timeout or self.seconds)
        except _WaitTimeout as error:
            self.close()
            raise psycopg.OperationalError("the server does not answer") from error


def _connect(parameters: dict[str, Any]) -> Patient:
    """Connect to a database that takes every text; AwayError.

    Any other would do until the first name or key that it cannot write.
    """
    try:
        made = Patient.connect(**parameters)
    except psycopg.OperationalError as error:
        raise AwayError(" ".join(str(error).split())) from error
    encoding = made.info.parameter_status("server_encoding")
    if encoding in ENCODINGS:
        made.isolation_level = IsolationLevel.READ_COMMITTED  # a role may have another
        return made
    made.close()
    raise AwayError(
        f"the database has the encoding {encoding}, and S4 needs UTF8: "
        "CREATE DATABASE ... TEMPLATE template0 ENCODING 'UTF8'"
    )


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's, by way of the gate."""

    _turn: Turn | None = None

    def get_new_connection(self, conn_params: dict[str, Any]) -> Patient:
        """Connect as Django does, when it is one's turn and somebody is there."""
        self.isolation_level = IsolationLevel.READ_COMMITTED
        try:
            self._turn = gate.take_turn()
            return gate.connect(lambda: _connect(conn_params))
        except AwayError as error:
            self._end_turn()
            raise psycopg.OperationalError(str(error)) from error.__cause__
        except BaseException:
            self._end_turn()
            raise

    def _configure_connection(self, connection: Patient) -> bool:
        """Set what a role or database may have otherwise.

        Times are read as ISO writes them, and what S4 has been told is done is on the disk.
        """
        connection.autocommit = True  # as it will be: what is set here needs no commit
        super()._configure_connection(connection)  # type: ignore[misc]
        connection.execute(SYNCED)
        style = connection.info.parameter_status("DateStyle") or ""
        if not style.startswith("ISO"):
            connection.execute("SET datestyle TO ISO")
        return False

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]  # the stubs leave it out
        finally:
            self._end_turn()

    def _end_turn(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.end()

    @contextmanager
    def unhurried(self) -> Iterator[None]:
        """Let what is done in the block take as long as it takes: it is asked for, and watched."""
        with self.cursor() as cursor:
            for name in UNHURRIED:
                cursor.execute(f"SET {name} = 0")
        self.connection.seconds = None
        try:
            yield
        finally:
            self.close()
