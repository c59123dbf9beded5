//! The servers under test, each on one core, and the service behind them.

use core::time::Duration;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock};

use asof_edge::{Caching, Edge, Plan};
use asof_env::{Clock as _, SystemClock, SystemRandom};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::http::serve::{end_of_input, say};
use crate::measure::Result;

/// What everybody answers.
const PAYLOAD: [u8; 1_024] = [b'x'; 1_024];

/// The core that servers run on, where there are several; the client has another one.
const SERVER_CORE: &str = "0";
const START_TRIES: u32 = 100;

/// A server of somebody else, in a process of its own. It ends with this value.
#[derive(Debug)]
pub(super) struct Peer {
    child: Child,
    pub(super) address: SocketAddr,
    _dir: TempDir,
}

/// An address that nobody listens on.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Whether servers and client can have a core each.
pub(super) fn has_cores() -> bool {
    // Asked once: as soon as the client keeps to one core, it sees no other.
    static SEVERAL: LazyLock<bool> = LazyLock::new(|| {
        let several = std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
        several && find("taskset").is_some()
    });
    *SEVERAL
}

/// A program that runs on the core of the servers.
pub(super) fn pinned(program: &Path) -> Command {
    if !has_cores() {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", SERVER_CORE]).arg(program);
    command
}

/// A program of this machine. Daemons are not on everybody's path.
pub(super) fn find(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/bin".into()]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// nginx with one worker and a cache on disk, which its page cache and open files make one in
/// memory.
pub(super) fn nginx(program: &Path, upstream: SocketAddr) -> Result<Peer> {
    let (dir, address) = (tempfile::tempdir()?, free_address()?);
    let at = dir.path().display();
    let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = folders.map(|name| format!("{name}_temp_path {at}/{name};\n")).concat();
    let settings = format!(
        "daemon off; user root; worker_processes 1; pid {at}/pid; error_log /dev/null crit;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; keepalive_requests 1000000000; {temporary}\
         sendfile on; tcp_nodelay on; open_file_cache max=1000 inactive=1h;\n\
         proxy_cache_path {at}/cache keys_zone=bench:10m;\n\
         server {{ listen {address}; location / {{ proxy_pass http://{upstream};\n\
         proxy_cache bench; proxy_cache_valid 200 1h; }} }} }}\n"
    );
    let file = dir.path().join("nginx.conf");
    std::fs::write(&file, settings)?;
    let mut command = pinned(program);
    command.arg("-p").arg(dir.path()).arg("-e").arg("/dev/null").arg("-c").arg(&file);
    Peer::start(command, address, dir)
}

/// Varnish with everything in memory.
pub(super) fn varnish(program: &Path, upstream: SocketAddr) -> Result<Peer> {
    let (dir, address) = (tempfile::tempdir()?, free_address()?);
    let mut command = pinned(program);
    command.args(["-j", "none", "-F", "-T", "none", "-t", "3600", "-s", "malloc,64m"]);
    command.args(["-p", "thread_pools=1", "-a", &address.to_string()]);
    command.args(["-b", &upstream.to_string(), "-n"]).arg(dir.path().join("varnish"));
    Peer::start(command, address, dir)
}

impl Peer {
    fn start(mut command: Command, address: SocketAddr, dir: TempDir) -> Result<Self> {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let peer = Self { child: quiet.spawn()?, address, _dir: dir };
        for _ in 0..START_TRIES {
            if TcpStream::connect(address).is_ok() {
                return Ok(peer);
            }
            SystemClock.sleep(Duration::from_millis(100));
        }
        Err("it does not listen".into())
    }

    /// The id of its first process, the parent of the others.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Told so, both end their children; killed, they would leave them behind.
        let told = Command::new("kill").arg(self.child.id().to_string()).status();
        if !told.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// The edge as `asof edge` runs it, by the configuration in `file`, until its input ends.
pub(crate) fn edge(file: &Path) -> Result<()> {
    let plan = Plan::load(file).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let memory = plan.limits.memory;
        let edge = Edge::bind(plan, Arc::new(SystemClock), |forwarder| {
            Caching::new(forwarder, Arc::new(SystemRandom), Arc::new(SystemClock), memory)
        })
        .await?;
        say(edge.addresses().ingress)?;
        edge.run(end_of_input()).await;
        Ok(())
    })
}

/// Answers everything with the payload, until its input ends.
pub(crate) fn bare() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        say(listener.local_addr()?)?;
        tokio::select! {
            answered = serve(listener, None) => answered,
            () = end_of_input() => Ok(()),
        }
    })
}

/// The service behind those that cache, on a thread of its own, for as long as the process runs.
/// Asked through the edge, it reads a key of the store by way of `egress`.
pub(super) fn service(egress: SocketAddr) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            serve(listener, Some(egress)).await
        })
    });
    Ok(address)
}

async fn serve(listener: tokio::net::TcpListener, egress: Option<SocketAddr>) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service_fn(move |request: Request<Incoming>| async move {
            let context = request.headers().get("asof-context").cloned();
            if let (Some(egress), Some(context)) = (egress, context) {
                read_key(egress, &context).await?;
            }
            let mut response = Response::new(Full::new(Bytes::from_static(&PAYLOAD)));
            let text = HeaderValue::from_static("text/plain");
            response.headers_mut().insert(header::CONTENT_TYPE, text);
            Result::Ok(response)
        });
        let connection = hyper::server::conn::http1::Builder::new();
        tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
    }
}

async fn read_key(egress: SocketAddr, context: &HeaderValue) -> Result<()> {
    let mut stream = tokio::net::TcpStream::connect(egress).await?;
    let mut request = b"GET /-/main/v1/spaces/bench/keys/sensor/0000000000 HTTP/1.1\r\n\
        Host: edge\r\nConnection: close\r\nAsof-Context: "
        .to_vec();
    request.extend_from_slice(context.as_bytes());
    request.extend_from_slice(b"\r\n\r\n");
    stream.write_all(&request).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    if answer.starts_with(b"HTTP/1.1 200") {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&answer).into_owned().into())
    }
}
