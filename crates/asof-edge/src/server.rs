//! The edge's life: bind, run, reload, stop.

use core::fmt;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use asof_env::Clock;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore, watch};
use tokio::task::JoinSet;

use crate::config::{self, Difference, Effect, Plan, ServiceName};
use crate::door::{Door, Gates};
use crate::engine::Engine;
use crate::limits;
use crate::listen::lanes::Lanes;
use crate::listen::tls::{self, Acceptor};
use crate::listen::{self, Listener};
use crate::metrics::Metrics;
use crate::upstream::{Forwarder, Trusted};

/// Why an edge does not start.
#[derive(Debug)]
pub enum EdgeError {
    /// The engine cannot run by the plan: why, and what to do.
    Refused(String),
    /// The certificate or key cannot be used.
    Tls(io::Error),
    /// The file with a token cannot be used.
    Token(PathBuf, io::Error),
    /// The threads that speak with clients cannot be started.
    Threads(io::Error),
    /// The address cannot be listened on.
    Listen(SocketAddr, io::Error),
}

impl fmt::Display for EdgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => f.write_str(why),
            Self::Tls(error) => write!(f, "TLS: {error}"),
            Self::Threads(error) => write!(f, "no threads to speak with clients: {error}"),
            Self::Token(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
        }
    }
}

impl core::error::Error for EdgeError {}

/// Why a plan was not gone over to. Nothing has changed then.
#[derive(Debug)]
pub enum ReloadError {
    /// An edge would not start by it either.
    Refused(EdgeError),
    /// These take effect only with a restart.
    NeedsRestart(Vec<Difference>),
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::NeedsRestart(differences) => {
                f.write_str("nothing was changed, since this takes a restart:")?;
                differences.iter().try_for_each(|difference| write!(f, " {difference};"))
            }
        }
    }
}

impl core::error::Error for ReloadError {}

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Shared<E> {
    pub(crate) engine: E,
    pub(crate) forwarder: Forwarder,
    pub(crate) metrics: Metrics,
    pub(crate) registry: Registry,
    pub(crate) clock: Arc<dyn Clock>,
    /// Turns true when the edge stops.
    pub(crate) stopping: watch::Receiver<bool>,
    pub(crate) header_bytes: usize,
    live: ArcSwap<Live>,
    /// Shared by the listeners that speak TLS.
    tls: Option<Arc<ArcSwap<Acceptor>>>,
    /// One reload at a time.
    reloading: Mutex<()>,
}

/// What changes with a reload, all at once.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) plan: Arc<Plan>,
    pub(crate) gates: Arc<Gates>,
    pub(crate) admin_token: Option<String>,
    pub(crate) peer_token: Option<String>,
}

impl<E> Shared<E> {
    pub(crate) fn live(&self) -> Arc<Live> {
        self.live.load_full()
    }
}

/// Where an edge listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Addresses {
    /// For clients.
    pub ingress: SocketAddr,
    /// For operators.
    pub admin: SocketAddr,
    /// For each service that has one.
    pub egress: BTreeMap<ServiceName, SocketAddr>,
    /// For operators who look at what is still to come, if it has one.
    pub preview: Option<SocketAddr>,
    /// For other edges, if it has one.
    pub peer: Option<SocketAddr>,
}

/// An edge that listens and does not accept yet.
#[derive(Debug)]
pub struct Edge<E> {
    shared: Arc<Shared<E>>,
    listeners: Vec<Listener>,
    lanes: Arc<Lanes>,
    addresses: Addresses,
    stop: watch::Sender<bool>,
    /// Stops the listeners of operators and of other edges, which are there until the others have
    /// ended: what is under way may need them.
    stop_admin: watch::Sender<bool>,
}

impl<E: Engine> Edge<E> {
    /// Listens. Connections are served by threads of its own, one a core, unless the runtime has one
    /// thread. `engine` makes the engine, given the way to services and stores. Runs inside a
    /// runtime.
    ///
    /// # Errors
    ///
    /// As [`EdgeError`] says. Nothing listens then.
    pub async fn bind(
        plan: Plan,
        clock: Arc<dyn Clock>,
        engine: impl FnOnce(Forwarder) -> E,
    ) -> Result<Self, EdgeError> {
        let (stop, stopping) = watch::channel(false);
        let metrics = Metrics::new();
        let forwarder = Forwarder::new(metrics.clone(), stopping.clone());
        let engine = engine(forwarder.clone());
        let Material { acceptor, trusted, admin_token, peer_token } = material::<E>(&plan)?;
        let tls = acceptor.map(|acceptor| Arc::new(ArcSwap::from_pointee(acceptor)));
        let (stop_admin, stopping_admin) = watch::channel(false);
        let stops = [stopping.clone(), stopping_admin];
        let (listeners, addresses) = open(&plan, tls.as_ref(), &stops).await?;
        let mut registry = Registry::with_prefix("asof");
        metrics.register(&mut registry);
        engine.register(&mut registry);
        let gates = Arc::new(Gates::new(plan.limits.requests_in_flight));
        let lanes = Arc::new(Lanes::start().map_err(EdgeError::Threads)?);
        let plan = Arc::new(plan);
        forwarder.reload(&plan, &trusted);
        engine.reload(&plan);
        let shared = Shared {
            engine,
            forwarder,
            metrics,
            registry,
            clock,
            stopping,
            header_bytes: plan.limits.header_bytes,
            live: ArcSwap::from_pointee(Live { plan, gates, admin_token, peer_token }),
            tls,
            reloading: Mutex::new(()),
        };
        Ok(Self { shared: Arc::new(shared), listeners, lanes, addresses, stop, stop_admin })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// What takes it over to another plan while it runs.
    pub fn reloader(&self) -> Reloader<E> {
        Reloader(Arc::clone(&self.shared))
    }

    /// Accepts connections until `shutdown`; then lets requests under way end, within a bound.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let (mut tasks, mut admin) = (JoinSet::new(), JoinSet::new());
        for listener in self.listeners {
            let tasks = if listener.door.is_last() { &mut admin } else { &mut tasks };
            tasks.spawn(listen::run(listener, Arc::clone(&self.lanes), Arc::clone(&self.shared)));
        }
        shutdown.await;
        self.stop.send_replace(true);
        while tasks.join_next().await.is_some() {}
        self.stop_admin.send_replace(true);
        while admin.join_next().await.is_some() {}
    }
}

/// What a plan names and is read at the start.
struct Material {
    acceptor: Option<Acceptor>,
    trusted: Trusted,
    admin_token: Option<String>,
    peer_token: Option<String>,
}

/// Whether an edge with this engine would start by `plan`, its listeners aside: that every file
/// which the plan names is there and good.
///
/// # Errors
///
/// Why it would not.
pub fn check<E: Engine>(plan: &Plan) -> Result<(), EdgeError> {
    material::<E>(plan).map(drop)
}

fn material<E: Engine>(plan: &Plan) -> Result<Material, EdgeError> {
    E::accepts(plan).map_err(EdgeError::Refused)?;
    let acceptor = plan.tls.as_ref().map(tls::acceptor).transpose().map_err(EdgeError::Tls)?;
    let trusted = Trusted::of(plan).map_err(EdgeError::Tls)?;
    let admin_token = plan.admin_token_file.as_deref().map(token).transpose()?;
    let peer_token = plan.peer_token_file.as_deref().map(token).transpose()?;
    let of_stores = plan.stores.values().flat_map(|store| {
        store.token_file.as_deref().into_iter().chain(store.preview_token_file.as_deref())
    });
    let of_peers = plan.peers.values().filter_map(|peer| peer.token_file.as_deref());
    of_stores.chain(of_peers).try_for_each(|path| {
        // The engine sends it; here it only must be there.
        token(path).map(drop)
    })?;
    Ok(Material { acceptor, trusted, admin_token, peer_token })
}

fn token(path: &Path) -> Result<String, EdgeError> {
    let refused = |error| EdgeError::Token(path.to_owned(), error);
    let text = config::read_bounded(path, limits::TOKEN_BYTES_MAX).map_err(refused)?;
    let token = text.trim();
    if token.len() < 16 {
        return Err(refused(io::Error::other("holds no token of at least 16 characters")));
    }
    Ok(token.to_owned())
}

/// Opens every listener of `plan`, or none.
async fn open(
    plan: &Plan,
    acceptor: Option<&Arc<ArcSwap<Acceptor>>>,
    [stopping, stopping_admin]: &[watch::Receiver<bool>; 2],
) -> Result<(Vec<Listener>, Addresses), EdgeError> {
    // Services have places of their own: what clients wait for must be able to call others.
    let places = Arc::new(Semaphore::new(plan.limits.connections));
    let egress_places = Arc::new(Semaphore::new(plan.limits.connections));
    let peer_places = Arc::new(Semaphore::new(plan.limits.connections));
    let admin_places = Arc::new(Semaphore::new(limits::ADMIN_CONNECTIONS_MAX));
    let mut listeners = Vec::new();
    let mut listen = async |door: Door, address: SocketAddr, places: &Arc<Semaphore>| {
        let refused = |error| EdgeError::Listen(address, error);
        let socket = TcpListener::bind(address).await.map_err(refused)?;
        let bound = socket.local_addr().map_err(refused)?;
        // Beyond this machine everything speaks TLS, where the edge has a certificate.
        let secured = door == Door::Ingress || !address.ip().is_loopback();
        let tls = acceptor.filter(|_| secured).cloned();
        tracing::info!(listener = door.as_str(), address = %bound, tls = tls.is_some(), "listening");
        let stopping = if door.is_last() { stopping_admin } else { stopping }.clone();
        listeners.push(Listener { door, socket, tls, places: Arc::clone(places), stopping });
        Ok::<_, EdgeError>(bound)
    };
    let ingress = listen(Door::Ingress, plan.listen, &places).await?;
    let admin = listen(Door::Admin, plan.admin, &admin_places).await?;
    let mut egress = BTreeMap::new();
    for (name, service) in &plan.services {
        if let Some(address) = service.egress {
            let bound = listen(Door::Egress(name.clone()), address, &egress_places).await?;
            egress.insert(name.clone(), bound);
        }
    }
    let mut preview = None;
    if let Some(address) = plan.preview_listen {
        preview = Some(listen(Door::Preview, address, &admin_places).await?);
    }
    let mut peer = None;
    if let Some(address) = plan.peer_listen {
        peer = Some(listen(Door::Peer, address, &peer_places).await?);
    }
    Ok((listeners, Addresses { ingress, admin, egress, preview, peer }))
}

/// Takes a running edge over to another plan.
#[derive(Debug)]
pub struct Reloader<E>(Arc<Shared<E>>);

impl<E: Engine> Reloader<E> {
    /// Goes over to `plan`, wholly or not at all; returns what changed. Requests under way keep
    /// the plan they began with. Runs inside a runtime.
    ///
    /// # Errors
    ///
    /// Where the engine refuses, or something takes a restart. Nothing has changed then.
    pub async fn reload(&self, plan: Plan) -> Result<Vec<Difference>, ReloadError> {
        let shared = &self.0;
        let _alone = shared.reloading.lock().await;
        let live = shared.live.load_full();
        let differences = live.plan.diff(&plan);
        let restart = |difference: &&Difference| difference.effect == Effect::Restart;
        let restarts: Vec<_> = differences.iter().filter(restart).cloned().collect();
        if !restarts.is_empty() {
            return Err(ReloadError::NeedsRestart(restarts));
        }
        let Material { acceptor, trusted, admin_token, peer_token } =
            material::<E>(&plan).map_err(ReloadError::Refused)?;
        // Requests under way keep the places they took; new ones are counted anew.
        let same = live.plan.limits.requests_in_flight == plan.limits.requests_in_flight;
        let gates = if same {
            Arc::clone(&live.gates)
        } else {
            Arc::new(Gates::new(plan.limits.requests_in_flight))
        };
        let plan = Arc::new(plan);
        shared.forwarder.reload(&plan, &trusted);
        shared.engine.reload(&plan);
        shared.live.store(Arc::new(Live { plan, gates, admin_token, peer_token }));
        // A certificate is renewed in its file, which no setting shows.
        if let (Some(tls), Some(acceptor)) = (&shared.tls, acceptor) {
            tls.store(Arc::new(acceptor));
        }
        shared.metrics.reloads.inc();
        for difference in &differences {
            tracing::info!(%difference, "reloaded");
        }
        Ok(differences)
    }
}
