//! `PostgreSQL` in a temporary folder, and the little of its protocol that a prepared read takes.

use core::time::Duration;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use asof_env::{Clock as _, SystemClock};
use tempfile::TempDir;

use crate::client::{Connection, whole};
use crate::data::{self, Shape};
use crate::measure::Result;

/// The question: what a key held at a moment, from the index.
const QUESTION: &str = "SELECT value, effective FROM history \
     WHERE key = $1 AND effective <= $2 ORDER BY effective DESC LIMIT 1";
const TABLE: &str = "CREATE TABLE history \
     (key text COLLATE \"C\" NOT NULL, effective bigint NOT NULL, value text NOT NULL)";
const INDEX: &str = "CREATE INDEX history_as_of ON history (key, effective DESC)";
/// Rows in one `INSERT`.
const INSERT_ROWS: usize = 1_000;
const START_TRIES: u32 = 100;

/// A server that ends with this value.
#[derive(Debug)]
pub(crate) struct Postgres {
    server: Child,
    bin: PathBuf,
    dir: TempDir,
    owner: Option<(u32, u32)>,
    pub(crate) address: SocketAddr,
}

/// The folder of the newest installed binaries.
pub(crate) fn find() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let bins = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    bins.filter(|bin| bin.join("initdb").exists()).max()
}

impl Postgres {
    /// Makes a cluster and starts it, on loopback alone.
    pub(crate) fn start(bin: &Path) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        // It refuses to run as root.
        let owner = is_root().then(unprivileged).flatten();
        if let Some((user, group)) = owner {
            chown(dir.path(), Some(user), Some(group))?;
        }
        let cluster = dir.path().join("cluster");
        let made = command(bin, "initdb", owner, dir.path())
            .args(["--auth=trust", "--username=bench", "--encoding=UTF8", "--locale=C"])
            .arg("--pgdata")
            .arg(&cluster)
            .output()?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into_owned().into());
        }
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let server = command(bin, "postgres", owner, dir.path())
            .arg("-D")
            .arg(&cluster)
            .args(["-c", "listen_addresses=127.0.0.1"])
            .args(["-c", &format!("port={}", address.port())])
            .args(["-c", &format!("unix_socket_directories={}", dir.path().display())])
            // Reads only are measured; loading need not wait for the disk.
            .args(["-c", "fsync=off", "-c", "jit=off"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { server, bin: bin.to_owned(), dir, owner, address })
    }

    /// The id of its first process, the parent of the others.
    pub(crate) fn id(&self) -> u32 {
        self.server.id()
    }

    /// Loads the history of `shape`, indexes it and lets the planner see it.
    pub(crate) fn load(&self, shape: Shape) -> Result<()> {
        let mut connection = self.connect_patiently()?;
        connection.ask(&query(TABLE))?;
        let mut rows = Vec::with_capacity(INSERT_ROWS);
        let total = shape.commits * shape.writes;
        for write in 0..total {
            let (number, version) = (write % shape.keys, write / shape.keys);
            let value = data::value(number, version);
            let value = core::str::from_utf8(&value.bytes)?;
            let at = data::moment(write / shape.writes).as_micros();
            rows.push(format!("('{}',{at},'{value}')", data::key(number)?));
            if rows.len() == INSERT_ROWS || write + 1 == total {
                let insert = format!("INSERT INTO history VALUES {}", rows.join(","));
                connection.ask(&query(&insert))?;
                rows.clear();
            }
        }
        connection.ask(&query(INDEX))?;
        connection.ask(&query("VACUUM ANALYZE history"))?;
        Ok(())
    }

    /// A connection on which the question is prepared.
    pub(crate) fn connect(&self) -> Result<Connection> {
        let mut connection = self.connect_plain()?;
        let mut parse = b"asof\0".to_vec();
        parse.extend_from_slice(QUESTION.as_bytes());
        // Two parameters: text (25) and int8 (20).
        parse.extend_from_slice(&[0, 0, 2, 0, 0, 0, 25, 0, 0, 0, 20]);
        let mut request = sized(b"P", &parse);
        request.extend(sized(b"S", &[]));
        connection.ask(&request)?;
        Ok(connection)
    }

    fn connect_patiently(&self) -> Result<Connection> {
        for _ in 0..START_TRIES {
            if let Ok(connection) = self.connect_plain() {
                return Ok(connection);
            }
            SystemClock.sleep(Duration::from_millis(100));
        }
        Err("PostgreSQL does not answer".into())
    }

    fn connect_plain(&self) -> Result<Connection> {
        let mut connection = Connection::open(self.address, whole::postgres)?;
        let mut start = vec![0, 3, 0, 0];
        start.extend_from_slice(b"user\0bench\0database\0postgres\0\0");
        connection.ask(&sized(&[], &start))?;
        Ok(connection)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // It finds its own process by the file in its own cluster.
        let stopped = command(&self.bin, "pg_ctl", self.owner, self.dir.path())
            .args(["stop", "--mode=fast", "--silent", "--timeout=20", "-D"])
            .arg(self.dir.path().join("cluster"))
            .status();
        if !stopped.is_ok_and(|status| status.success()) {
            // Nothing is left to lose: the folder goes as well.
            let _ = self.server.kill();
        }
        let _ = self.server.wait();
        SystemClock.sleep(Duration::from_millis(50));
    }
}

/// Binds the question to a key and a moment, runs it, and asks for the end of the answer.
pub(crate) fn ask(key: &str, at: u64) -> Result<Vec<u8>> {
    // The portal without a name, of the prepared question; formats: text, binary.
    let mut bind = b"\0asof\0".to_vec();
    bind.extend_from_slice(&[0, 2, 0, 0, 0, 1, 0, 2]);
    bind.extend_from_slice(&u32::try_from(key.len())?.to_be_bytes());
    bind.extend_from_slice(key.as_bytes());
    bind.extend_from_slice(&8_u32.to_be_bytes());
    bind.extend_from_slice(&at.to_be_bytes());
    // Both columns as binary.
    bind.extend_from_slice(&[0, 1, 0, 1]);
    let mut request = sized(b"B", &bind);
    request.extend(sized(b"E", &[0, 0, 0, 0, 0]));
    request.extend(sized(b"S", &[]));
    Ok(request)
}

fn query(text: &str) -> Vec<u8> {
    let mut body = text.as_bytes().to_vec();
    body.push(0);
    sized(b"Q", &body)
}

/// A message: its kind, its length with the four bytes of that, its body.
fn sized(kind: &[u8], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    let mut message = kind.to_vec();
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(body);
    message
}

fn command(bin: &Path, name: &str, owner: Option<(u32, u32)>, dir: &Path) -> Command {
    let mut command = Command::new(bin.join(name));
    command.current_dir(dir).env("LC_ALL", "C").stdin(Stdio::null());
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    command
}

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let user = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    user.and_then(|user| user.split_whitespace().next()) == Some("0")
}

/// User and group to run as in place of root.
fn unprivileged() -> Option<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    ["postgres", "nobody"].iter().find_map(|name| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}
