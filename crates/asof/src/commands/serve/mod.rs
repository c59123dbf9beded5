//! `asof serve`

mod change;
mod run;

use core::net::SocketAddr;
use std::path::{Path, PathBuf};

use asof_server::Config;
use clap::Args;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::files;
use crate::log::Lines;

/// Where the store is unless told otherwise.
const DATA_DEFAULT: &str = "asof-data";

/// Largest configuration file, in bytes.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

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
  asof serve --config new.toml --check --against /etc/asof.toml   what going over to it changes

A configuration file, with its defaults:
  listen = \"127.0.0.1:7400\"
  require_tokens = false             # on loopback too
  tls_terminated_elsewhere = false
  # tls = { cert = \"cert.pem\", key = \"key.pem\" }

  [limits]
  connections = 4096
  followers = 1024
  header_timeout = \"15s\"
  body_timeout = \"30s\"
  write_timeout = \"30s\"
  idle_timeout = \"2m\"
  drain_timeout = \"10s\"

  [log]
  format = \"text\"                    # or \"json\"
  filter = \"info\"

  [store]
  value_bytes_max = 1048576
  schedule_limit = \"400d\"
  idle_tick = \"10ms\"
  clock_jump_limit = \"1h\"
  clock_start_limit = \"366d\"
  retention_interval = \"10m\"

  # [[webhooks]]                     # told of control actions; docs/webhooks.md
  # name = \"ops\"
  # url = \"https://example.org/hook\"
  # secret_file = \"/etc/asof/webhook.secret\"
  # actions = [\"cap-set\", \"cap-cleared\"]")]
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
    /// With --check: say what it changes to go over from this configuration, with the same options
    #[arg(long, value_name = "OLD", requires = "check")]
    against: Option<PathBuf>,
    /// Listen beyond this machine in plain HTTP, since something in front takes care of TLS
    #[arg(long)]
    tls_terminated_elsewhere: bool,
    /// How the log is written, on standard error [default: text]
    #[arg(long, value_enum, value_name = "FORMAT")]
    log_format: Option<Lines>,
    /// What is logged, such as `warn` or `info,asof_server=debug` [default: info]
    #[arg(long, env = "ASOF_LOG", value_name = "FILTER", hide_env_values = true)]
    log: Option<String>,
}

impl Serve {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let data = context.data().unwrap_or(Path::new(DATA_DEFAULT)).to_owned();
        let config = self.config(self.config.as_deref())?;
        run::check(&config)?;
        if let Some(old) = &self.against {
            change::show(&mut context.out, &self.config(Some(old))?, &config)?;
            return Ok(Exit::Done);
        }
        if self.check {
            context.out.line(&format!(
                "the configuration is good: listen on {}, data in {}",
                config.listen,
                data.display()
            ))?;
            return Ok(Exit::Done);
        }
        run::serve(&config, &data, &mut context.out)
    }

    /// The file, with the options over it.
    fn config(&self, file: Option<&Path>) -> Result<Config, Failure> {
        let mut config = match file {
            Some(path) => read(path)?,
            None => Config::default(),
        };
        if let Some(listen) = self.listen {
            config.listen = listen;
        }
        config.tls_terminated_elsewhere |= self.tls_terminated_elsewhere;
        if let Some(format) = self.log_format {
            config.log.format = format.into();
        }
        if let Some(filter) = &self.log {
            config.log.filter.clone_from(filter);
        }
        Ok(config)
    }
}

pub(super) fn read(path: &Path) -> Result<Config, Failure> {
    let bytes = files::read_input(path, CONFIG_BYTES_MAX)?;
    let wrong = |error: &dyn core::fmt::Display| {
        Failure::usage(format!("configuration `{}`: {error}", path.display()))
    };
    let text = core::str::from_utf8(&bytes).map_err(|error| wrong(&error))?;
    Config::from_toml(text).map_err(|error| wrong(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn config(file: &str, options: &[&str]) -> Result<Config, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("asof.toml");
        std::fs::write(&path, file).unwrap();
        let line = ["asof", "serve", "--config", path.to_str().unwrap()];
        let cli = Cli::parse_from(line.iter().chain(options));
        let Command::Serve(serve) = cli.command else {
            panic!("not serve");
        };
        let config = serve.config(serve.config.as_deref())?;
        run::check(&config)?;
        Ok(config)
    }

    #[test]
    fn options_win_over_the_file() {
        let file = "listen = '127.0.0.1:1'\n[log]\nfilter = 'warn'";
        let config = config(file, &["--listen", "127.0.0.1:2"]).unwrap();
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.log.filter, "warn");
    }

    #[test]
    fn what_the_help_shows_is_the_default() {
        let help = <Cli as clap::CommandFactory>::command()
            .find_subcommand("serve")
            .and_then(|serve| serve.get_after_long_help())
            .unwrap()
            .to_string();
        let (_, file) = help.split_once("defaults:\n").unwrap();
        assert_eq!(config(file, &[]).unwrap(), Config::default());
    }

    #[test]
    fn what_is_not_safe_or_not_known_is_refused() {
        assert!(config("", &["--listen", "0.0.0.0:0"]).is_err());
        assert!(config("", &["--listen", "0.0.0.0:0", "--tls-terminated-elsewhere"]).is_ok());
        assert!(config("listne = '127.0.0.1:1'", &[]).is_err());
        assert!(config("", &["--log", "=="]).is_err());
    }
}
