"""A replica of the MariaDB of the same run, by GTID: it follows that server's binary log and is read-only. The same accounts and databases."""
import select
import time

from .mariadb import SOCKET, Mariadb, program

FOLLOW_SECONDS = 30
STATUS = r"show slave status\G"


class MariadbReplica(Mariadb):
    name = "mariadb-replica"
    needs = "mariadb"  # whose kind `behind` then is
    follows = "mariadb"

    def __init__(self, home, run, make_password, durable):
        self.behind = None
        super().__init__(home, run, lambda: None, durable)  # its passwords are those of the server that it follows

    def replication(self):
        return ["--server-id=2", "--skip-log-bin", "--relay-log=relay", "--read-only"]

    def initialise(self):
        if not (self.home / "made").exists():
            self.copy()
        primary = self.behind
        self.ask(f"""
            stop slave;
            change master to master_host = '127.0.0.1', master_port = {primary.port}, master_user = 'sluice_admin',
              master_password = '{primary.admin_password}', master_use_gtid = slave_pos, master_connect_retry = 1;
            start slave;
            """)
        limit = time.monotonic() + FOLLOW_SECONDS
        while (status := self.ask(STATUS)).count("_Running: Yes") < 2:
            if time.monotonic() > limit:
                raise RuntimeError(f"{self.name} does not follow its server:\n{status}")
            select.select([], [], [], 0.05)  # how often it is asked

    def copy(self):
        """Everything, accounts too, with the place in the log where it was read."""
        dump = f"{program('mariadb-dump')} --no-defaults --host=127.0.0.1 --port={self.behind.port} --user=sluice_admin"
        load = f"{program('mariadb')} --no-defaults --socket={SOCKET} --user={self.user()}"
        self.run(["bash", "-o", "pipefail", "-c",
                  f"{dump} --all-databases --single-transaction --routines --events --gtid --master-data=1 | MYSQL_PWD= {load}"],
                 None, {"MYSQL_PWD": self.behind.admin_password})
        self.ask("flush privileges")

    def ask(self, sql):
        return self.run([program("mariadb"), "--no-defaults", f"--socket={SOCKET}", f"--user={self.user()}", "--batch"], sql)

    def addresses(self):
        self.admin_password, self.app_password = self.behind.admin_password, self.behind.app_password
        return {key.replace("mariadb.", f"{self.name}."): value for key, value in super().addresses().items()}
