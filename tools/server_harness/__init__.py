"""What tools/servers is made of: `keeper` holds the servers, `control` talks to it, a module per kind of server.

A kind is a class with `name`, `account` (whom root becomes for it), `prepare()` (make the data directory), `command()`,
`is_ready()`, `addresses()` ({name: value}), `initialise()` (on the running server at its first start, and again at later ones where data
is kept) and `stop_signals` (orderly first). It is given `databases`, the names of those it must have. One that
`needs` another kind, named before it, finds that in `behind`; one that `follows` another is its replica, and that one is `followed`.
"""
from .mariadb import Mariadb
from .mariadb_replica import MariadbReplica
from .pgbouncer import Pgbouncer
from .postgres import Postgres
from .postgres_replica import PostgresReplica

KINDS = {kind.name: kind for kind in (Postgres, PostgresReplica, Pgbouncer, Mariadb, MariadbReplica)}
