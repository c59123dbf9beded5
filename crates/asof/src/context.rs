//! What commands work with: where to ask, who asks, and where to print.

use std::path::Path;
use std::sync::Arc;

use asof_client::{Client, HttpTransport, Transport, Trust};
use asof_store::{Actor, Options, Store};

use crate::cli::GlobalArgs;
use crate::failure::Failure;
use crate::local::LocalTransport;
use crate::output::Output;

/// Where a server is expected unless told otherwise; `asof serve` listens there.
pub(crate) const SERVER_DEFAULT: &str = "http://127.0.0.1:7400";

/// Who is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Target<'a> {
    Server(&'a str),
    Folder(&'a Path),
}

/// What happens where `--data` names a folder without a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Missing {
    Refuse,
    Create,
}

/// What a command works with.
#[derive(Debug)]
pub(crate) struct Context {
    global: GlobalArgs,
    /// Where to print.
    pub(crate) out: Output,
    /// The store, where this process has it open. Closed when the context goes.
    store: Option<Store>,
}

impl Context {
    /// A context of these arguments that prints to `out`.
    pub(crate) fn new(global: GlobalArgs, out: Output) -> Self {
        Self { global, out, store: None }
    }

    /// A client of the server, or of the folder, that the arguments name. A folder must hold a
    /// store already.
    pub(crate) fn client(&mut self) -> Result<Client, Failure> {
        self.client_where(Missing::Refuse)
    }

    /// As [`client`](Self::client), for commands that may be the first of all: a folder without a
    /// store gets one.
    pub(crate) fn client_of_new(&mut self) -> Result<Client, Failure> {
        self.client_where(Missing::Create)
    }

    fn client_where(&mut self, missing: Missing) -> Result<Client, Failure> {
        let author = self.author();
        let transport: Arc<dyn Transport> = match self.target()? {
            Target::Server(url) => {
                let trust = match &self.global.ca_file {
                    Some(path) => Trust::CaFile(path.clone()),
                    None => Trust::System,
                };
                Arc::new(HttpTransport::new(url, &trust).map_err(asof_client::Error::from)?)
            }
            Target::Folder(_) => {
                let store = self.store_where(missing)?;
                Arc::new(LocalTransport::new(crate::local::router(store))?)
            }
        };
        let client = Client::new(transport).with_author(author);
        Ok(match &self.global.token {
            Some(token) => client.with_token(token)?,
            None => client,
        })
    }

    /// The store in the folder that `--data` names, opened once. It must be there already: what
    /// only looks shall not turn a mistyped folder into an empty store.
    pub(crate) fn store(&mut self) -> Result<Store, Failure> {
        self.store_where(Missing::Refuse)
    }

    fn store_where(&mut self, missing: Missing) -> Result<Store, Failure> {
        if let Some(store) = &self.store {
            return Ok(store.clone());
        }
        let dir = self
            .data()
            .ok_or_else(|| Failure::usage("pass --data DIR, the folder of the store"))?;
        if missing == Missing::Refuse && !Store::is_in(dir) {
            return Err(Failure::usage(format!(
                "there is no store in `{}`: `asof put`, `asof import` or `asof serve` makes one",
                dir.display()
            )));
        }
        let store = Store::open(dir, Options::default())?;
        self.store = Some(store.clone());
        Ok(store)
    }

    /// The server that is asked; `None` where a folder is opened.
    pub(crate) fn server(&self) -> Option<String> {
        match self.target() {
            Ok(Target::Server(url)) => Some(url.to_owned()),
            Ok(Target::Folder(_)) | Err(_) => None,
        }
    }

    /// The folder that `--data` names.
    pub(crate) fn data(&self) -> Option<&Path> {
        self.global.data.as_deref()
    }

    /// Who acts: as given, else user and host.
    pub(crate) fn author(&self) -> String {
        match &self.global.author {
            Some(author) => author.clone(),
            None => user_at_host(),
        }
    }

    /// Who acts, and why.
    pub(crate) fn actor(&self, reason: impl Into<String>) -> Actor {
        Actor { name: self.author(), reason: reason.into() }
    }

    fn target(&self) -> Result<Target<'_>, Failure> {
        let server = self.global.server.as_deref();
        match (&self.global.data, server) {
            // A server in the environment is a default like any other, and gives way.
            (Some(_), Some(url)) if std::env::var("ASOF_SERVER").as_deref() != Ok(url) => {
                Err(Failure::usage("pass either --data DIR or --server URL, not both"))
            }
            (Some(dir), _) => Ok(Target::Folder(dir)),
            (None, url) => Ok(Target::Server(url.unwrap_or(SERVER_DEFAULT))),
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if let Some(store) = self.store.take() {
            store.close();
        }
    }
}

fn user_at_host() -> String {
    let user = ["USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    match user {
        Some(user) => format!("{user}@{host}"),
        None => format!("unknown@{host}"),
    }
}
