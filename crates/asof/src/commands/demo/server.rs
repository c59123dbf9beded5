//! A server in this process, for as long as the demo runs.

use core::net::{Ipv4Addr, SocketAddr};
use std::fs;
use std::path::Path;
use std::thread::JoinHandle;

use asof_server::{Config, ServeError, Server};
use asof_store::{Options, Store};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::context::SERVER_DEFAULT;
use crate::failure::Failure;

/// A server. It stops when dropped.
#[derive(Debug)]
pub(super) struct DemoServer {
    url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl DemoServer {
    /// Serves a new store in `folder`, at the usual address if that is free.
    pub(super) fn start(folder: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(folder)?;
        let store = Store::open(folder, Options::default())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let server = match bind(&runtime, &store) {
            Ok(server) => server,
            Err(error) => {
                store.close();
                return Err(Failure::unavailable(error.to_string()));
            }
        };
        let url = format!("http://{}", server.local_addr());
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            runtime.block_on(server.run(async {
                // That the sender is gone means the same.
                let _ = stopped.await;
            }));
        });
        Ok(Self { url, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// What a command must be given to find it.
    pub(super) fn option(&self) -> String {
        if self.url == SERVER_DEFAULT && std::env::var_os("ASOF_SERVER").is_none() {
            String::new()
        } else {
            format!(" --server {}", self.url)
        }
    }
}

impl Drop for DemoServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It has said what went wrong, if anything did.
            let _ = thread.join();
        }
    }
}

fn bind(runtime: &Runtime, store: &Store) -> Result<Server, ServeError> {
    let usual = Config::default();
    match runtime.block_on(Server::bind(store.clone(), &usual)) {
        Err(ServeError::Listen(..)) => {
            let any = Config { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), ..usual };
            runtime.block_on(Server::bind(store.clone(), &any))
        }
        bound => bound,
    }
}
