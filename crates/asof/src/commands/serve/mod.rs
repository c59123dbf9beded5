//! `asof serve`

mod config;
mod run;

use core::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use config::{Config, FileConfig, LogFormat, Overrides};

/// Run a store and its HTTP service
///
/// The folder given by --data (./asof-data unless told otherwise) is made where there is none.
/// The server runs until Ctrl-C or SIGTERM, then finishes what is under way.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof serve
  asof serve --data /var/lib/asof --listen 127.0.0.1:7400
  asof serve --config /etc/asof.toml --check       see whether it would start

A configuration file, with its defaults:
  data = \"asof-data\"
  listen = \"127.0.0.1:7400\"
  tls_terminated_elsewhere = false

  [log]
  format = \"text\"                # or \"json\"
  filter = \"info\"

  [store]
  value_bytes_max = 1048576
  schedule_limit = \"400d\"
  idle_tick_ms = 10
  clock_jump_limit = \"1h\"
  clock_start_limit = \"366d\"
  retention_interval = \"10m\"")]
pub(crate) struct Serve {
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:7400]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Configuration file, in TOML; options win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Read and check the configuration, say what it means, and exit
    #[arg(long)]
    check: bool,
    /// Listen beyond this machine in plain HTTP, since something in front takes care of TLS
    #[arg(long)]
    tls_terminated_elsewhere: bool,
    /// How the log is written, on standard error [default: text]
    #[arg(long, value_enum, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// What is logged, such as `warn` or `info,asof_server=debug` [default: info]
    #[arg(long, env = "ASOF_LOG", value_name = "FILTER", hide_env_values = true)]
    log: Option<String>,
}

impl Serve {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let file = match &self.config {
            Some(path) => FileConfig::read(path)?,
            None => FileConfig::default(),
        };
        let config = Config::new(
            file,
            Overrides {
                data: context.data().map(ToOwned::to_owned),
                listen: self.listen,
                tls_terminated_elsewhere: self.tls_terminated_elsewhere,
                log_format: self.log_format,
                log_filter: self.log,
            },
        )?;
        run::check(&config)?;
        if self.check {
            context.out.line(&format!(
                "the configuration is good: listen on {}, data in {}",
                config.listen,
                config.data.display()
            ))?;
            return Ok(Exit::Done);
        }
        run::serve(&config, &mut context.out)
    }
}
