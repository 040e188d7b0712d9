"""MariaDB: an administrator, an application role and its database, passwords for both, one loopback port and a socket in its folder."""
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
# A killed process loses nothing by these, only a power cut does.
NO_SYNC = ["--debug-no-sync", "--innodb-flush-method=nosync", "--skip-innodb-doublewrite", "--sync-frm=0"]


class Mariadb:
    name = "mariadb"
    account = "mysql"
    stop_signals = [signal.SIGTERM]  # orderly

    def __init__(self, home, run, make_password, durable):
        self.data = home / "data"
        self.socket = home / "socket"
        self.pid_file = home / "pid"
        self.key, self.certificate = home / "key.pem", home / "certificate.pem"
        self.run = run
        self.admin_password = make_password()
        self.app_password = make_password()
        self.owner = ""
        self.durable = durable
        self.port = 0

    def prepare(self):
        self.run([program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                  "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(self.key), "-out", str(self.certificate)])
        # Whom the server runs as is its administrator over the socket; `initialise` is that user.
        self.owner = self.run(["id", "-un"]).strip()
        self.run([program("mariadb-install-db"), "--no-defaults", f"--datadir={self.data}", "--auth-root-authentication-method=socket",
                  f"--auth-root-socket-user={self.owner}", "--skip-test-db", "--skip-name-resolve",
                  f"--innodb-log-file-size={LOG_SIZE}", *NO_SYNC])

    def command(self):
        settings = {"datadir": self.data, "socket": self.socket, "pid-file": self.pid_file, "bind-address": "127.0.0.1", "port": self.port,
                    "character-set-server": "utf8mb4", "collation-server": "utf8mb4_general_ci", "max-connections": 200,
                    "max-allowed-packet": "64M", "innodb-buffer-pool-size": "64M", "innodb-log-file-size": LOG_SIZE,
                    "ssl-key": self.key, "ssl-cert": self.certificate, "ssl-ca": self.certificate,
                    "default-time-zone": "+00:00"}
        switches = ["--no-defaults", "--skip-name-resolve", "--skip-log-bin", "--skip-slave-start", "--skip-symbolic-links"]
        if not self.durable:
            switches += NO_SYNC
        return [program("mariadbd"), *switches, *(f"--{key}={value}" for key, value in settings.items())]

    def is_ready(self):
        # The server writes its pid file once it accepts connections, and only its own user reads its socket's folder.
        with socket.socket() as probe:
            if not self.pid_file.exists() or probe.connect_ex(("127.0.0.1", self.port)) != 0:
                return False
        asked = [program("mariadb-admin"), "--no-defaults", f"--socket={self.socket}", "--user=nobody_asks", "--connect-timeout=5", "ping"]
        return subprocess.run(asked, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def initialise(self):
        self.run([program("mariadb"), "--no-defaults", f"--socket={self.socket}", f"--user={self.owner}", "--batch"], f"""
            create user sluice_admin@'127.0.0.1' identified by '{self.admin_password}';
            grant all privileges on *.* to sluice_admin@'127.0.0.1' with grant option;
            create user sluice_app@'127.0.0.1' identified by '{self.app_password}';
            create database sluice character set utf8mb4;
            grant all privileges on sluice.* to sluice_app@'127.0.0.1';
            """)

    def address(self, user, password, database):
        return f"mariadb://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def addresses(self):
        return {"mariadb.admin": self.address("sluice_admin", self.admin_password, "mysql"),
                "mariadb.app": self.address("sluice_app", self.app_password, "sluice"),
                "mariadb.certificate": str(self.certificate),
                "mariadb.data": str(self.data)}
