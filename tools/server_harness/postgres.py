"""PostgreSQL: a superuser, an application role and its database, passwords for both, nothing but one loopback port."""
import pathlib
import signal
import socket
import subprocess


def program(name):
    """Debian keeps the server's programs out of PATH, by major version."""
    folders = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    for folder in reversed(folders):
        if (folder / name).exists():
            return str(folder / name)
    raise RuntimeError(f"PostgreSQL's {name} is not installed; ./dev setup does it")


class Postgres:
    name = "postgres"
    account = "postgres"
    stop_signals = [signal.SIGINT, signal.SIGQUIT]  # fast shutdown, then immediate

    def __init__(self, home, run, make_password, durable):
        self.data = home / "data"
        self.password_file = home / "password"
        self.run = run
        self.admin_password = make_password()
        self.app_password = make_password()
        self.durable = durable
        self.port = 0

    def prepare(self):
        # Through the shell's built-in: no argument list that others can read holds the password.
        self.run(["sh", "-c", f"umask 077 && cat > '{self.password_file}'"], self.admin_password)
        self.run([program("initdb"), "-D", str(self.data), "-U", "sluice_admin", "-A", "scram-sha-256", "--pwfile", str(self.password_file),
                  "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"])

    def command(self):
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "max_connections": 400,
                    "shared_buffers": "64MB", "timezone": "UTC", "log_timezone": "UTC", "deadlock_timeout": "200ms"}
        if not self.durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        return [program("postgres"), "-D", str(self.data), *(word for key, value in settings.items() for word in ("-c", f"{key}={value}"))]

    def is_ready(self):
        # 0 is "accepts connections"; the port alone opens before recovery has ended.
        asked = [program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", "sluice_admin"]
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                return False
        return subprocess.run(asked, check=False).returncode == 0 and self.is_ours()

    def is_ours(self):
        """Another server may have the port that we meant to take."""
        lines = (self.data / "postmaster.pid").read_text().splitlines() if (self.data / "postmaster.pid").exists() else []
        return len(lines) > 7 and lines[3].strip() == str(self.port) and lines[7].strip() == "ready"

    def initialise(self):
        admin = f"postgres://sluice_admin@127.0.0.1:{self.port}/postgres"
        self.run([program("psql"), "-q", "-X", "-v", "ON_ERROR_STOP=1", admin], f"""
            create role sluice_app login password '{self.app_password}';
            create database sluice owner sluice_app;
            """, {"PGPASSWORD": self.admin_password})

    def address(self, user, password, database):
        return f"postgres://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def addresses(self):
        return {"postgres.admin": self.address("sluice_admin", self.admin_password, "postgres"),
                "postgres.app": self.address("sluice_app", self.app_password, "sluice"),
                "postgres.data": str(self.data)}
