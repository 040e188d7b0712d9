"""PgBouncer in transaction mode before the PostgreSQL of the same run: every database and the application role, one loopback port."""
import pathlib
import signal
import subprocess

from .postgres import program


class Pgbouncer:
    name = "pgbouncer"
    account = "postgres"
    needs = "postgres"  # whose kind `behind` then is
    stop_signals = [signal.SIGTERM]  # at once; SIGINT would wait for transactions

    def __init__(self, home, run, make_password, durable):
        self.home = home
        self.run = run
        self.behind = None
        self.port = 0

    def prepare(self):
        # Through the shell's built-in: no argument list that others can read holds the password.
        self.run(["sh", "-c", f"umask 077 && cat > '{self.home}/users.txt'"], f'"sluice_app" "{self.behind.app_password}"\n')

    def command(self):
        # Each transaction takes the server connection that rested longest, of two at least: who relies on a session is found out.
        settings = {"listen_addr": "127.0.0.1", "listen_port": self.port, "unix_socket_dir": "", "auth_type": "scram-sha-256",
                    "auth_file": self.home / "users.txt", "pool_mode": "transaction", "max_client_conn": 1000, "default_pool_size": 40,
                    "min_pool_size": 2, "server_round_robin": 1, "server_login_retry": 1}
        lines = ["[databases]", f"* = host=127.0.0.1 port={self.behind.port}", "[pgbouncer]"]
        lines += [f"{key} = {value}" for key, value in settings.items()]
        # The port may be another than at the last try. No password is in this file.
        self.run(["sh", "-c", f"cat > '{self.home}/pgbouncer.ini'"], "\n".join(lines) + "\n")
        return [self.binary(), str(self.home / "pgbouncer.ini")]

    @staticmethod
    def binary():
        for folder in ("/usr/sbin", "/usr/bin"):
            if pathlib.Path(folder, "pgbouncer").exists():
                return f"{folder}/pgbouncer"
        raise RuntimeError("pgbouncer is not installed; ./dev setup does it")

    def is_ready(self):
        """Only ours knows the password, so another program on the port is not taken for it."""
        try:
            self.run([program("psql"), "-q", "-X", "-c", "select 1", self.address("")], None, {"PGPASSWORD": self.behind.app_password, "PGCONNECT_TIMEOUT": "5"})
        except (RuntimeError, subprocess.TimeoutExpired):
            return False
        return True

    def initialise(self):
        """Nothing: databases and roles are the server's."""

    def address(self, password):
        return f"postgres://sluice_app{password and ':'}{password}@127.0.0.1:{self.port}/sluice"

    def addresses(self):
        return {"pgbouncer.app": self.address(self.behind.app_password)}
