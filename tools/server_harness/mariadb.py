"""MariaDB: an administrator, an application role and its databases, passwords for both, one loopback port and a socket in its folder."""
import pathlib
import signal
import socket
import subprocess


def program(name):
    for folder in ("/usr/sbin", "/usr/bin"):
        if pathlib.Path(folder, name).exists():
            return f"{folder}/{name}"
    raise RuntimeError(f"{name} is not installed; ./dev setup does it")


LOG_SIZE = "48M"
# From the folder that the server and its tools work in: a socket's path has 107 bytes at most, and a kept folder may lie deep.
SOCKET = "socket"
# A killed process loses nothing by these, only a power cut does.
NO_SYNC = ["--debug-no-sync", "--innodb-flush-method=nosync", "--skip-innodb-doublewrite", "--sync-frm=0"]


def as_pattern(name):
    """In a grant `_` stands for any character."""
    return name.replace("_", r"\_")


class Mariadb:
    name = "mariadb"
    account = "mysql"
    stop_signals = [signal.SIGTERM]  # orderly

    def __init__(self, home, run, make_password, durable):
        self.home = home
        self.data = home / "data"
        self.pid_file = home / "pid"
        self.key, self.certificate = home / "key.pem", home / "certificate.pem"
        self.run = run
        self.admin_password = make_password()
        self.app_password = make_password()
        self.durable = durable
        self.followed = False  # by a replica
        self.port = 0

    def prepare(self):
        self.run([program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=127.0.0.1",
                  "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(self.key), "-out", str(self.certificate)])
        # Whom the server runs as is its administrator over the socket; `initialise` is that user.
        self.run([program("mariadb-install-db"), "--no-defaults", f"--datadir={self.data}", "--auth-root-authentication-method=socket",
                  f"--auth-root-socket-user={self.user()}", "--skip-test-db", "--skip-name-resolve",
                  f"--innodb-log-file-size={LOG_SIZE}", *NO_SYNC])

    def user(self):
        return self.run(["id", "-un"]).strip()

    def command(self):
        # The server's own working folder is the one of its data.
        settings = {"datadir": self.data, "socket": f"../{SOCKET}", "pid-file": self.pid_file, "bind-address": "127.0.0.1", "port": self.port,
                    "character-set-server": "utf8mb4", "collation-server": "utf8mb4_general_ci", "max-connections": 400,
                    "max-allowed-packet": "64M", "innodb-buffer-pool-size": "64M", "innodb-log-file-size": LOG_SIZE,
                    "ssl-key": self.key, "ssl-cert": self.certificate, "ssl-ca": self.certificate,
                    "default-time-zone": "+00:00"}
        switches = ["--no-defaults", "--skip-name-resolve", "--skip-symbolic-links", *self.replication()]
        if not self.durable:
            switches += NO_SYNC
        return [program("mariadbd"), *switches, *(f"--{key}={value}" for key, value in settings.items())]

    def replication(self):
        if not self.followed:
            return ["--skip-log-bin"]
        return ["--server-id=1", "--log-bin=binlog", "--binlog-format=ROW", "--log-bin-trust-function-creators"]

    def is_ready(self):
        # The server writes its pid file once it accepts connections, and only its own user reads its socket's folder.
        with socket.socket() as probe:
            if not self.pid_file.exists() or probe.connect_ex(("127.0.0.1", self.port)) != 0:
                return False
        asked = [program("mariadb-admin"), "--no-defaults", f"--socket={SOCKET}", "--user=nobody_asks", "--connect-timeout=5", "ping"]
        return subprocess.run(asked, check=False, cwd=self.home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def initialise(self):
        """Also on a server that was kept, which has some of it."""
        users = "".join(f"""
            create user if not exists {user}@'127.0.0.1';
            alter user {user}@'127.0.0.1' identified by '{password}';
            """ for user, password in (("sluice_admin", self.admin_password), ("sluice_app", self.app_password)))
        wanted = "".join(f"""
            create database if not exists {name} character set utf8mb4;
            grant all privileges on `{as_pattern(name)}`.* to sluice_app@'127.0.0.1';
            """ for name in ("sluice", *self.databases))
        self.run([program("mariadb"), "--no-defaults", f"--socket={SOCKET}", f"--user={self.user()}", "--batch"],
                 f"{users} grant all privileges on *.* to sluice_admin@'127.0.0.1' with grant option; {wanted}")

    def address(self, user, password, database):
        return f"mariadb://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def addresses(self):
        return {"mariadb.admin": self.address("sluice_admin", self.admin_password, "mysql"),
                "mariadb.app": self.address("sluice_app", self.app_password, "sluice"),
                "mariadb.certificate": str(self.certificate),
                "mariadb.data": str(self.data)}
