//! `asof edge`

mod run;

use std::path::PathBuf;

use asof_edge::Plan;
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Run the edge: a proxy in front of services and between them
///
/// Clients reach services through it, and services reach each other and the stores through it,
/// each by an egress listener of its own. It runs until Ctrl-C or SIGTERM, then finishes what is
/// under way. SIGHUP makes it read its configuration again: wholly, or not at all.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof edge --config edge.toml --check             say what would be in effect, and exit
  asof edge --config edge.toml
  curl http://127.0.0.1:7480/                      as a client
  curl http://127.0.0.1:7490/-/files/a             as the service that 7490 is for, calling files
  curl -x http://127.0.0.1:7490 http://files/a     the same, by HTTP_PROXY
  kill -HUP PID                                    read the configuration again

A small configuration:
  listen = \"127.0.0.1:7480\"         # clients
  admin = \"127.0.0.1:7481\"          # /healthz /readyz /metrics

  [stores.main]
  url = \"http://127.0.0.1:7400\"

  [[ingress.rules]]                 # the first that matches
  prefix = \"/\"
  service = \"pages\"

  [services.pages]
  upstreams = [\"http://127.0.0.1:9001\"]
  egress = \"127.0.0.1:7490\"         # where pages calls others: ASOF_EGRESS

  [services.files]
  upstreams = [\"http://127.0.0.1:9010\", \"http://127.0.0.1:9011\"]

Everything that is wrong is said at once, with its line, and nothing takes effect then.

Exit codes:
  0 stopped, or the configuration is good   2 it is not   4 an address cannot be listened on")]
pub(crate) struct Edge {
    /// Configuration file, in TOML
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Read and check the configuration, say what would be in effect, and exit
    #[arg(long)]
    check: bool,
    /// How the log is written, on standard error
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
    /// What is logged, such as `warn` or `info,asof_edge::access=off`
    #[arg(
        long,
        env = "ASOF_LOG",
        value_name = "FILTER",
        default_value = "info",
        hide_env_values = true
    )]
    log: String,
}

/// How a line of the log looks.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum LogFormat {
    /// For people
    Text,
    /// A JSON object a line
    Json,
}

impl Edge {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let plan = self.plan()?;
        if !self.check {
            return run::serve(&self, plan, &mut context.out);
        }
        run::check(&plan, &self.log)?;
        let settings = plan.settings();
        if context.out.is_json() {
            context.out.json(&json!({ "settings": settings }))?;
            return Ok(Exit::Done);
        }
        for (setting, value) in &settings {
            context.out.line(&format!("{setting} = {value}"))?;
        }
        context.out.line("the configuration is good")?;
        Ok(Exit::Done)
    }

    /// The configuration as it is in the file now.
    fn plan(&self) -> Result<Plan, Failure> {
        Plan::load(&self.config).map_err(|error| {
            Failure::usage(format!("configuration `{}`:\n{error}", self.config.display()))
        })
    }
}
