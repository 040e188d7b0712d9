"""A standby of the PostgreSQL of the same run: it streams from that server and answers what only reads. The same roles and databases."""
import select
import time

from .postgres import Postgres, program

STREAM_SECONDS = 30


class PostgresReplica(Postgres):
    name = "postgres-replica"
    needs = "postgres"  # whose kind `behind` then is
    follows = "postgres"

    def __init__(self, home, run, make_password, durable):
        self.data = home / "data"
        self.password_file = home / "pgpass"
        self.run = run
        self.durable = durable
        self.behind = None
        self.port = 0

    admin_password = property(lambda self: self.behind.admin_password)
    app_password = property(lambda self: self.behind.app_password)

    def prepare(self):
        self.run(["sh", "-c", f"umask 077 && cat > '{self.password_file}'"], f"127.0.0.1:*:*:sluice_admin:{self.admin_password}\n")
        self.run([program("pg_basebackup"), "-D", str(self.data), "-h", "127.0.0.1", "-p", str(self.behind.port), "-U", "sluice_admin",
                  "-X", "stream", "--checkpoint=fast", "--no-sync"], None, {"PGPASSFILE": str(self.password_file)})
        self.run(["touch", str(self.data / "standby.signal")])

    def command(self):
        # The server that it follows may have another port at every start.
        primary = f"host=127.0.0.1 port={self.behind.port} user=sluice_admin passfile={self.password_file}"
        return [*super().command(), "-c", f"primary_conninfo={primary}", "-c", "wal_retrieve_retry_interval=100ms"]

    def initialise(self):
        """Roles and databases come from the server that it follows; nothing is there to do but see that they will."""
        limit = time.monotonic() + STREAM_SECONDS
        while self.streams() != "streaming":
            if time.monotonic() > limit:
                raise RuntimeError(f"{self.name} does not follow its server; if the folder was kept, remove it and it is made anew")
            select.select([], [], [], 0.05)  # how often it is asked

    def streams(self):
        address = self.address("sluice_admin", "", "postgres").replace(":@", "@")
        return self.run([program("psql"), "-XAtq", address, "-c", "select status from pg_stat_wal_receiver"], None,
                        {"PGPASSWORD": self.admin_password}).strip()

    def addresses(self):
        return {key.replace("postgres.", f"{self.name}."): value for key, value in super().addresses().items()}
