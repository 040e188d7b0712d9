"""What tools/servers promises: private servers that work, and that leave no process, port or directory however a run ends.

Ends with "N passed, N failed, N skipped", which tools/dev/report.py counts.
"""
import contextlib
import itertools
import os
import pathlib
import pwd
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SERVERS = str(ROOT / "tools" / "servers")
LIMIT_SECONDS = 60


def read_addresses(directory):
    lines = pathlib.Path(directory, "servers.txt").read_text().splitlines()
    return dict(line.split(" ", 1) for line in lines)


def answer_of(words, variables=None):
    return subprocess.run(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT_SECONDS,
                          env={**os.environ, **(variables or {})}).stdout


class PostgresClient:
    kind = "postgres"
    account = "postgres"
    refusal = "password authentication failed"
    is_admin = "select rolsuper::int from pg_roles where rolname = current_user"
    where = "select current_database() || ' ' || current_user"
    databases = "select datname from pg_database where datname like 'shop%' order by 1"

    @staticmethod
    def query(address, sql):
        return answer_of(["psql", "-XAtq", address, "-c", sql])

    @staticmethod
    def pid(data):
        return int((data / "postmaster.pid").read_text().split()[0])

    @staticmethod
    def blocked_program():
        return "sh"


class MariadbClient:
    kind = "mariadb"
    account = "mysql"
    refusal = "Access denied"
    is_admin = """select count(*) from information_schema.user_privileges where privilege_type = 'SUPER'
                  and grantee = concat("'", replace(current_user(), '@', "'@'"), "'")"""
    where = "select concat(database(), ' ', substring_index(current_user(), '@', 1))"
    databases = "select schema_name from information_schema.schemata where schema_name like 'shop%' order by 1"

    @staticmethod
    def query(address, sql):
        user, rest = address.removeprefix("mariadb://").split(":", 1)
        password, rest = rest.split("@")
        port, database = rest.split(":")[1].split("/")
        return answer_of(["mariadb", "--no-defaults", "-N", "-B", "-h127.0.0.1", f"-P{port}", f"-u{user}", database, "-e", sql], {"MYSQL_PWD": password})

    @staticmethod
    def pid(data):
        return int((data.parent / "pid").read_text())

    @staticmethod
    def blocked_program():
        return "id"


class Traces:
    """What a run of servers could leave behind. Made while they run."""

    def __init__(self, client, addresses):
        self.data = pathlib.Path(addresses[f"{client.kind}.data"])
        self.home = self.data.parent.parent
        self.port = int(addresses[f"{client.kind}.admin"].rsplit(":", 1)[1].split("/")[0])
        self.pid = client.pid(self.data)
        self.keeper_pid = int(pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        self.process = os.pidfd_open(self.pid)
        self.keeper = os.pidfd_open(self.keeper_pid)

    def close(self):
        os.close(self.process)
        os.close(self.keeper)

    def wait_for_the_process(self):
        return bool(select.select([self.process], [], [], LIMIT_SECONDS)[0])

    def wait_for_the_keeper(self):
        return bool(select.select([self.keeper], [], [], LIMIT_SECONDS)[0])

    def port_answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def hear_interrupts():
    """A suite that runs in the background of a shell was started with SIGINT ignored, and so would be all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class ServerCases:
    """The cases of one kind of server; `client` knows how to talk to it."""
    client = None

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="sluice-servers-test-")
        self.addCleanup(self.folder.cleanup)
        self.directory = pathlib.Path(self.folder.name)

    def servers(self, *words, **options):
        return subprocess.run([SERVERS, *words], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT_SECONDS * 2, **options)

    def start(self, *kinds):
        done = self.servers("start", self.client.kind, *kinds, "--dir", str(self.directory))
        self.assertEqual(done.returncode, 0, done.stdout)
        self.addCleanup(self.servers, "stop", "--dir", str(self.directory))
        addresses = read_addresses(self.directory)
        traces = Traces(self.client, addresses)
        self.addCleanup(traces.close)
        return addresses, traces

    def expect_nothing_left(self, traces):
        self.assertTrue(traces.wait_for_the_keeper(), "the keeper still runs")
        self.assertTrue(traces.wait_for_the_process(), "the server still runs")
        self.assertFalse(traces.port_answers(), "the port still answers")
        self.assertFalse(traces.home.exists(), "the directory is still there")

    def run_in_background(self, command):
        """`tools/servers run postgres -- sh -c COMMAND` in a session of its own, once COMMAND printed a line."""
        process = subprocess.Popen([SERVERS, "run", self.client.kind, "--", "sh", "-c", command], text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   start_new_session=True, preexec_fn=hear_interrupts)
        self.addCleanup(process.stdout.close)
        line = process.stdout.readline().strip()
        traces = Traces(self.client, read_addresses(pathlib.Path(line).parent))
        self.addCleanup(traces.close)
        return process, traces

    def test_a_started_server_answers_both_roles_and_refuses_a_wrong_password(self):
        addresses, _ = self.start()
        app = addresses[f"{self.client.kind}.app"]
        self.assertEqual(self.client.query(addresses[f"{self.client.kind}.admin"], self.client.is_admin), "1\n")
        self.assertEqual(self.client.query(app, "create table t(a int); insert into t values (7); select a from t"), "7\n")
        self.assertEqual(self.client.query(app, self.client.is_admin), "0\n")
        user, rest = app.rsplit(":", 2)[0], app.split("@")[1]
        self.assertIn(self.client.refusal, self.client.query(f"{user}:wrong@{rest}", "select 1"))

    def test_the_server_runs_as_an_unprivileged_user_and_listens_on_loopback_only(self):
        _, traces = self.start()
        self.assertNotEqual(os.stat(f"/proc/{traces.pid}").st_uid, 0)
        if os.geteuid() == 0:
            self.assertEqual(os.stat(f"/proc/{traces.pid}").st_uid, pwd.getpwnam(self.client.account).pw_uid)
        listening = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
        places = [word[1] for word in listening if word[3] == "0A" and word[1].endswith(f":{traces.port:04X}")]
        self.assertEqual(places, [f"0100007F:{traces.port:04X}"])

    def test_passwords_are_in_no_argument_list_and_the_file_is_ours_alone(self):
        addresses, _ = self.start()
        secret = addresses[f"{self.client.kind}.admin"].split(":")[2].split("@")[0]
        for words in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                self.assertNotIn(secret.encode(), words.read_bytes(), words)
        self.assertEqual((self.directory / "servers.txt").stat().st_mode & 0o077, 0)

    def test_stop_leaves_nothing_and_may_be_repeated(self):
        _, traces = self.start()
        self.assertEqual(self.servers("stop", "--dir", str(self.directory)).returncode, 0)
        self.expect_nothing_left(traces)
        self.assertFalse((self.directory / "servers.txt").exists())
        self.assertEqual(self.servers("stop", "--dir", str(self.directory)).returncode, 0)

    def test_a_second_start_in_one_directory_is_refused(self):
        self.start()
        again = self.servers("start", self.client.kind, "--dir", str(self.directory))
        self.assertNotEqual(again.returncode, 0)
        self.assertIn("already", again.stdout)

    def test_run_ends_with_the_status_of_its_command(self):
        for status in (0, 3):
            done = self.servers("run", self.client.kind, "--", "sh", "-c", f"cat $SLUICE_TEST_SERVERS; exit {status}")
            self.assertEqual(done.returncode, status, done.stdout)
            home = pathlib.Path(done.stdout.split(f"{self.client.kind}.data ")[1].strip()).parent.parent
            self.assertFalse(home.exists())

    def test_a_run_that_is_interrupted_or_terminated_leaves_nothing(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            process, traces = self.run_in_background("echo $SLUICE_TEST_SERVERS; exec sleep 600")
            os.killpg(process.pid, number)
            self.assertEqual(process.wait(LIMIT_SECONDS), 128 + number)
            self.expect_nothing_left(traces)

    def test_a_run_that_is_killed_leaves_nothing(self):
        process, traces = self.run_in_background("echo $SLUICE_TEST_SERVERS; exec sleep 600")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(LIMIT_SECONDS)
        self.expect_nothing_left(traces)

    def test_started_servers_end_with_the_process_that_started_them(self):
        # A shell starts them, as ctest does, and ends without stopping them.
        script = f"{SERVERS} start {self.client.kind} --dir {self.directory} && cat {self.directory}/servers.txt && echo && read wait"
        shell = subprocess.Popen(["bash", "-c", script], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        lines = itertools.takewhile(str.strip, shell.stdout)
        traces = Traces(self.client, dict(line.strip().split(" ", 1) for line in lines))
        self.addCleanup(traces.close)
        shell.kill()
        shell.wait(LIMIT_SECONDS)
        shell.stdin.close()
        shell.stdout.close()
        self.expect_nothing_left(traces)

    def test_a_killed_keeper_takes_the_server_along_and_the_next_start_removes_its_directory(self):
        _, traces = self.start()
        os.kill(traces.keeper_pid, signal.SIGKILL)
        self.assertTrue(traces.wait_for_the_process(), "the server still runs")
        self.assertFalse(traces.port_answers())
        self.assertTrue(traces.home.exists())
        self.start()
        self.assertFalse(traces.home.exists())

    def test_a_killed_server_revives_with_its_port_and_data(self):
        addresses, traces = self.start()
        app = addresses[f"{self.client.kind}.app"]
        self.client.query(app, "create table t(a int); insert into t values (7)")
        for order in ("kill", "halt"):
            told = self.servers("tell", order, self.client.kind, "--dir", str(self.directory))
            self.assertEqual(told.returncode, 0, told.stdout)
            self.assertFalse(traces.port_answers())
            told = self.servers("tell", "revive", self.client.kind, "--dir", str(self.directory))
            self.assertEqual(told.returncode, 0, told.stdout)
            self.assertEqual(self.client.query(app, "select a from t"), "7\n")

    def expect_answer(self, address, sql, expected):
        """Now or soon: a replica is behind its server by a moment."""
        limit = time.monotonic() + LIMIT_SECONDS
        while (answer := self.client.query(address, sql)) != expected and time.monotonic() < limit:
            select.select([], [], [], 0.02)  # how often it is asked
        self.assertEqual(answer, expected)

    def test_a_replica_follows_its_server_only_reads_and_goes_on_when_either_was_killed(self):
        kind, replica = self.client.kind, f"{self.client.kind}-replica"
        addresses, traces = self.start(replica)
        app, read = addresses[f"{kind}.app"], addresses[f"{replica}.app"]
        port = int(read.rsplit(":", 1)[1].split("/")[0])
        self.assertNotEqual(port, traces.port)
        self.client.query(app, "create table t(a int); insert into t values (1)")
        self.expect_answer(read, "select max(a) from t", "1\n")
        self.assertIn("read-only", self.client.query(read, "insert into t values (7)"))
        for number, victim in enumerate((replica, kind), 2):
            for order in ("kill", "revive"):
                told = self.servers("tell", order, victim, "--dir", str(self.directory))
                self.assertEqual(told.returncode, 0, told.stdout)
            self.client.query(app, f"insert into t values ({number})")
            self.expect_answer(read, "select max(a) from t", f"{number}\n")
        self.assertEqual(self.servers("stop", "--dir", str(self.directory)).returncode, 0)
        self.expect_nothing_left(traces)
        with socket.socket() as probe:
            self.assertNotEqual(probe.connect_ex(("127.0.0.1", port)), 0, "the replica's port still answers")

    def test_a_replica_of_a_kept_server_is_kept_and_follows_it_again(self):
        self.directory.chmod(0o755)
        kind, replica = self.client.kind, f"{self.client.kind}-replica"
        folder = self.directory / "kept"
        with self.kept(folder, replica) as addresses:
            self.client.query(addresses[f"{kind}.app"], "create table t(a int); insert into t values (1)")
            self.expect_answer(addresses[f"{replica}.app"], "select max(a) from t", "1\n")
        with self.kept(folder, replica) as addresses:
            self.client.query(addresses[f"{kind}.app"], "insert into t values (2)")
            self.expect_answer(addresses[f"{replica}.app"], "select max(a) from t", "2\n")

    @contextlib.contextmanager
    def kept(self, folder, *more):
        """The addresses of a server whose data stay in the folder."""
        state = str(self.directory / "state")
        done = self.servers("start", self.client.kind, *more, "--dir", state, "--keep", str(folder))
        self.assertEqual(done.returncode, 0, done.stdout)
        try:
            yield read_addresses(state)
        finally:
            self.servers("stop", "--dir", state)

    def test_kept_data_is_there_again_and_the_second_start_adds_what_is_wanted_now(self):
        self.directory.chmod(0o755)
        folder = self.directory / ("deep" * 30)  # longer than a socket's path may be
        with self.kept(folder, "--database", "shop_a") as addresses:
            self.client.query(addresses[f"{self.client.kind}.app"], "create table t(a int); insert into t values (7)")
        self.assertEqual((folder / self.client.kind).stat().st_mode & 0o077, 0)
        with self.kept(folder, "--database", "shop_a", "--database", "shop_b") as addresses:
            self.assertEqual(self.client.query(addresses[f"{self.client.kind}.app"], "select a from t"), "7\n")
            self.assertEqual(self.client.query(addresses[f"{self.client.kind}.app"], self.client.databases), "shop_a\nshop_b\n")

    def test_the_demos_command_gets_an_address_per_tenant_in_its_environment(self):
        done = self.servers("start", self.client.kind, "--dir", str(self.directory), "--database", "shop_a")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.addCleanup(self.servers, "stop", "--dir", str(self.directory))
        words = [str(ROOT / "tools" / "dev" / "on_server"), self.client.kind, "printenv", "SLUICE_DATABASE_URL"]
        address = answer_of(words, {"SLUICE_TEST_SERVERS": str(self.directory / "servers.txt")}).strip().replace("{tenant}", "shop_a")
        self.assertEqual(self.client.query(address, f"create table t(a int); {self.client.where}"), "shop_a sluice_app\n")

    def test_a_server_that_cannot_start_says_why_and_leaves_nothing(self):
        blocked, temporary = self.directory / "bin", self.directory / "tmp"
        blocked.mkdir()
        temporary.mkdir()
        program = blocked / self.client.blocked_program()
        program.write_text("#!/bin/bash\necho planned failure; exit 1\n")
        program.chmod(0o755)
        self.directory.chmod(0o755)
        environment = {**os.environ, "PATH": f"{blocked}:{os.environ['PATH']}", "TMPDIR": str(temporary)}
        done = self.servers("start", self.client.kind, "--dir", str(self.directory / "state"), env=environment)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("planned failure", done.stdout)
        self.assertEqual(list(temporary.iterdir()), [])


class PostgresTest(ServerCases, unittest.TestCase):
    client = PostgresClient

    def test_a_pooler_stands_before_the_server_in_transaction_mode_and_ends_with_it(self):
        addresses, traces = self.start("pgbouncer")
        port = int(addresses["pgbouncer.app"].rsplit(":", 1)[1].split("/")[0])
        self.assertNotEqual(port, traces.port)
        self.assertEqual(self.client.query(addresses["pgbouncer.app"], "select current_user || ' ' || current_database()"), "sluice_app sluice\n")
        with self.talk(addresses["pgbouncer.app"]) as first, self.talk(addresses["pgbouncer.app"]) as second:
            held = self.ask(first, "begin; select pg_backend_pid();")
            other = self.ask(second, "select pg_backend_pid();")
            self.assertNotEqual(held, other)
            self.assertEqual(self.ask(first, "select pg_backend_pid();"), held)
            # Outside of a transaction two statements of one client run in two sessions.
            self.ask(first, "commit; select 0;")
            self.assertEqual(len({self.ask(first, "select pg_backend_pid();") for _ in range(2)}), 2)
        told = [self.servers("tell", order, "pgbouncer", "--dir", str(self.directory)).returncode for order in ("kill", "revive")]
        self.assertEqual(told, [0, 0])
        self.assertEqual(self.client.query(addresses["pgbouncer.app"], "select 7"), "7\n")
        self.assertEqual(self.servers("stop", "--dir", str(self.directory)).returncode, 0)
        self.expect_nothing_left(traces)
        with socket.socket() as probe:
            self.assertNotEqual(probe.connect_ex(("127.0.0.1", port)), 0, "the pooler's port still answers")

    @contextlib.contextmanager
    def talk(self, address):
        with subprocess.Popen(["psql", "-XAtq", address], text=True, bufsize=1, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
            yield client

    def ask(self, client, sql):
        client.stdin.write(sql + "\n")
        return client.stdout.readline().strip()

    def test_a_pooler_without_its_server_is_refused(self):
        done = self.servers("start", "pgbouncer", "--dir", str(self.directory))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("pgbouncer wants postgres before it", done.stdout)

    def test_a_signal_to_the_run_alone_reaches_its_command_once(self):
        # Ends with the number of signals that it got, a moment after the first.
        count = "n=0; trap 'n=$((n + 1))' INT; echo $SLUICE_TEST_SERVERS; while [ $n = 0 ]; do sleep 0.05; done; sleep 0.2; exit $n"
        for send in (os.kill, os.killpg):
            process, traces = self.run_in_background(count)
            send(process.pid, signal.SIGINT)
            self.assertEqual(process.wait(LIMIT_SECONDS), 1)
            self.expect_nothing_left(traces)

    def keep(self, folder, command, *more):
        return self.servers("run", "postgres", "--keep", str(folder), *more, "--", "sh", "-c", command)

    def test_a_kept_folder_serves_one_server_and_is_nobody_elses(self):
        self.directory.chmod(0o755)
        folder = self.directory / "kept"
        done = self.keep(folder, f"{SERVERS} run postgres --keep {folder} -- true")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("is in use by another server", done.stdout)
        other = self.directory / "other"
        (other / "postgres").mkdir(parents=True)
        (other / "postgres" / "mine").write_text("mine")
        done = self.keep(other, "true")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("holds something else", done.stdout)
        self.assertEqual((other / "postgres" / "mine").read_text(), "mine")

    def test_a_first_start_that_was_interrupted_is_made_anew(self):
        self.directory.chmod(0o755)
        folder = self.directory / "kept"
        self.assertEqual(self.keep(folder, "true").returncode, 0)
        (folder / "postgres" / "made").unlink()
        done = self.keep(folder, 'psql -XAtq "$(sed -n "s/^postgres.app //p" $SLUICE_TEST_SERVERS)" -c "select 1"')
        self.assertEqual(done.stdout, "1\n")

    @unittest.skipUnless(os.geteuid() == 0, "only root becomes another user")
    def test_a_folder_that_the_servers_user_may_not_enter_is_named(self):
        done = self.keep(self.directory / "kept", "true")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(f"may not enter {self.directory}", done.stdout)


class MariadbTest(ServerCases, unittest.TestCase):
    client = MariadbClient


class SeveralTest(unittest.TestCase):
    def test_two_kinds_run_side_by_side_and_leave_nothing(self):
        done = subprocess.run([SERVERS, "run", "postgres", "mariadb", "--", "sh", "-c", "cat $SLUICE_TEST_SERVERS"], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT_SECONDS * 2)
        self.assertEqual(done.returncode, 0, done.stdout)
        addresses = dict(line.split(" ", 1) for line in done.stdout.splitlines())
        self.assertLessEqual({f"{kind}.{name}" for kind in ("mariadb", "postgres") for name in ("admin", "app", "data")}, set(addresses))
        self.assertEqual({pathlib.Path(addresses[f"{kind}.data"]).exists() for kind in ("mariadb", "postgres")}, {False})


def main():
    loaded = unittest.TestSuite(map(unittest.defaultTestLoader.loadTestsFromTestCase, (PostgresTest, MariadbTest, SeveralTest)))
    result = unittest.TextTestRunner(verbosity=2).run(loaded)
    bad = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - bad - len(result.skipped)} passed, {bad} failed, {len(result.skipped)} skipped")
    sys.exit(1 if bad else 0)


main()
