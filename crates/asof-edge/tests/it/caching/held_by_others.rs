//! A stock nginx and a stock Varnish in front of the edge: they hold its facts by their URLs, and
//! never show as the latest what is not.
//!
//! The tests are about the edge alone where a program is not installed; with `ASOF_WITH_CACHES` set,
//! as CI does, that is a failure.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use http::{Method, Request};
use http_body_util::Full;
use tokio::net::TcpStream;

use super::world::{Asked, Got, Service, World, ask, on, text};
use crate::harness::{eventually, nowhere};

/// A cache of somebody else, which ends with this value.
struct Cache {
    address: SocketAddr,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Drop for Cache {
    fn drop(&mut self) {
        // Told so, both end their children; killed, they would leave them behind.
        let told = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(told.unwrap().success());
        self.child.wait().unwrap();
    }
}

/// A program of this machine. Daemons are not on everybody's path.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    let found = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    let wanted = std::env::var_os("ASOF_WITH_CACHES").is_some();
    assert!(found.is_some() || !wanted, "{name} is not installed");
    found
}

async fn started(mut command: Command, address: SocketAddr, folder: tempfile::TempDir) -> Cache {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let cache = Cache { address, child: quiet.spawn().unwrap(), _folder: folder };
    eventually(|| async { TcpStream::connect(address).await.is_ok() }).await;
    cache
}

/// nginx with a cache, which goes by what answers say and by nothing else.
async fn nginx(program: &Path, edge: SocketAddr) -> Cache {
    let (folder, address) = (tempfile::tempdir().unwrap(), nowhere().await);
    let at = folder.path().display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {at}/{name};"));
    let settings = format!(
        "daemon off; worker_processes 1; pid {at}/pid; error_log {at}/error.log;\n\
         events {{ worker_connections 64; }}\n\
         http {{ access_log off; {}\nproxy_cache_path {at}/cache keys_zone=facts:1m;\n\
         server {{ listen {address}; location / {{\n\
         proxy_pass http://{edge}; proxy_cache facts; }} }} }}\n",
        temporary.concat()
    );
    let file = folder.path().join("nginx.conf");
    std::fs::write(&file, settings).unwrap();
    // Its worker is another user where this one is root.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).unwrap();
    let mut command = Command::new(program);
    command.arg("-p").arg(folder.path()).arg("-e").arg("/dev/null").arg("-c").arg(&file);
    started(command, address, folder).await
}

/// Varnish with the VCL that it comes with.
async fn varnish(program: &Path, edge: SocketAddr) -> Cache {
    let (folder, address) = (tempfile::tempdir().unwrap(), nowhere().await);
    let mut command = Command::new(program);
    command.args(["-j", "none", "-F", "-T", "none", "-s", "malloc,16m"]);
    command.args(["-a", &address.to_string(), "-b", &edge.to_string()]);
    command.arg("-n").arg(folder.path().join("varnish"));
    started(command, address, folder).await
}

/// Says what it reads, and in which language.
async fn page() -> Service {
    Service::new("page", |asked: Asked| async move {
        text(format!("{} {}", asked.header("accept-language"), asked.read("one").await))
    })
    .await
}

/// Deploys are told, in a space that there is.
const RELEASES: &str = "[releases]\nstore = 'main'\nspace = 'goods'\n";

async fn system(page: &Service) -> World {
    let more = on("page", "as_of = 'closed'\nheaders = ['accept-language']") + RELEASES;
    World::start(&[page], &more).await
}

async fn get(world: &World, at: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Got {
    let mut request = Request::get(format!("http://{at}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    ask(&world.http, request.body(Full::default()).unwrap()).await
}

/// The URL of what was answered, as it was then.
fn fact(path: &str, got: &Got) -> String {
    format!("{path}?as_of={}&epoch={}", got.header("as-of"), got.header("as-of-epoch"))
}

/// How many requests of clients the edge has answered so far.
async fn requests(world: &World) -> u64 {
    let metrics = world.admin(Method::GET, "/metrics").await.text;
    let lines = metrics.lines().filter(|line| line.starts_with("asof_edge_requests_total{"));
    let ingress = lines.filter(|line| line.contains("listener=\"ingress\""));
    ingress.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

/// What is in front of the edge.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Front {
    Nobody,
    /// It answers no condition of a client where it may not hold what it got.
    Nginx,
    Varnish,
}

/// What must hold with any cache at `at`, or with none.
async fn is_right(world: &World, at: SocketAddr, front: Front) {
    let german = ("accept-language", "de");
    let token = world.put("one", "1").await;
    let old = get(world, at, "/p", &[german, ("asof-token", &token)]).await;
    assert_eq!((old.status.as_u16(), old.text.as_str()), (200, "de 1"), "{old:?}");
    assert_eq!(old.header("cache-control"), "no-cache");
    assert_eq!(old.header("vary"), "as-of, asof-token, accept-language");
    let same = get(world, at, "/p", &[german, ("if-none-match", &old.header("etag"))]).await;
    let wanted = if front == Front::Nginx { (200, "de 1") } else { (304, "") };
    assert_eq!((same.status.as_u16(), same.text.as_str()), wanted, "{same:?}");
    // The latest is the latest, however often it was asked for.
    let token = world.put("one", "2").await;
    let new = get(world, at, "/p", &[german, ("asof-token", &token)]).await;
    assert_eq!(new.text, "de 2");
    assert_eq!(get(world, at, "/p", &[german]).await.text, "de 2");
    let changed = get(world, at, "/p", &[german, ("if-none-match", &old.header("etag"))]).await;
    assert_eq!((changed.status.as_u16(), changed.text.as_str()), (200, "de 2"));
    // What its URL names whole is held, for each language by itself.
    let (then, english) = (fact("/p", &old), ("accept-language", "en"));
    for (language, wanted) in [(german, "de 1"), (english, "en 1")] {
        let first = get(world, at, &then, &[language]).await;
        assert_eq!((first.status.as_u16(), first.text.as_str()), (200, wanted), "{first:?}");
        assert_eq!(first.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(first.header("vary"), "accept-language");
        let before = requests(world).await;
        let again = get(world, at, &then, &[language]).await;
        assert_eq!((&again.text, again.header("as-of")), (&first.text, first.header("as-of")));
        let asked = requests(world).await - before;
        assert_eq!(asked, u64::from(front == Front::Nobody), "{again:?}");
    }
    assert_eq!(get(world, at, &fact("/p", &new), &[german]).await.text, "de 2");
    // The moment alone is not all that an answer depends on.
    let moment = format!("/p?as_of={}", old.header("as-of"));
    let before = requests(world).await;
    for _ in 0..2 {
        let got = get(world, at, &moment, &[german]).await;
        assert_eq!((got.text.as_str(), got.header("cache-control").as_str()), ("de 1", "no-cache"));
    }
    assert_eq!(requests(world).await - before, 2);
    let other = format!("{moment}&epoch=00000000000001");
    for _ in 0..2 {
        let got = get(world, at, &other, &[german]).await;
        assert_eq!(got.status, 409, "{got:?}");
        assert!(got.text.contains("\"WrongEpoch\""), "{got:?}");
    }
}

#[tokio::test]
async fn the_edge_alone_says_what_may_be_held() {
    let page = page().await;
    let world = system(&page).await;
    is_right(&world, world.ingress, Front::Nobody).await;
}

#[tokio::test]
async fn a_stock_nginx_holds_facts_and_never_the_latest() {
    let Some(program) = find("nginx") else { return };
    let page = page().await;
    let world = system(&page).await;
    let nginx = nginx(&program, world.ingress).await;
    is_right(&world, nginx.address, Front::Nginx).await;
}

#[tokio::test]
async fn a_stock_varnish_holds_facts_and_never_the_latest() {
    let Some(program) = find("varnishd") else { return };
    let page = page().await;
    let world = system(&page).await;
    let varnish = varnish(&program, world.ingress).await;
    is_right(&world, varnish.address, Front::Varnish).await;
}

/// Without releases nobody tells the edge of a deploy: the same URL may come to mean something else.
#[tokio::test]
async fn where_deploys_are_not_told_nothing_is_said_to_be_for_ever() {
    let page = page().await;
    let world = World::start(&[&page], &on("page", "as_of = 'closed'")).await;
    let got = world.get("/p").await;
    assert_eq!(
        (got.header("as-of-epoch").as_str(), got.header("cache-control").as_str()),
        ("", "no-cache")
    );
    let named = format!("/p?as_of={}&epoch=00000000000001", got.header("as-of"));
    assert_eq!(world.get(&named).await.status, 409);
}

#[tokio::test]
async fn what_depends_on_who_asks_is_held_by_nobody_else() {
    let page = page().await;
    let theme = "[state.theme]\ndefault = 'light'\nfrom = [{ cookie = 'theme' }]\n";
    let more = on("page", "as_of = 'closed'\nstate = ['theme']") + theme;
    let world = World::start(&[&page], &(more + RELEASES)).await;
    let got = world.get("/p").await;
    assert_eq!(got.header("cache-control"), "private, no-cache");
    let got = world.get(&fact("/p", &got)).await;
    assert_eq!(
        (got.status.as_u16(), got.header("cache-control").as_str()),
        (200, "private, no-cache")
    );
}
