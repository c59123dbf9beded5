//! `asof edge`

pub(crate) mod admin;

mod act;
mod change;
mod report;
mod run;
mod traces;

use std::path::{Path, PathBuf};

use asof_edge::{Change, Plan};
use clap::{Args, Subcommand};
use serde_json::json;

use self::act::{Bypass, Forgive};
use self::report::Report;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::log::Lines;

/// Run the edge: a proxy in front of services and between them
///
/// Clients reach services through it, and services reach each other and the stores through it,
/// each by an egress listener of its own. It runs until Ctrl-C or SIGTERM, then finishes what is
/// under way. SIGHUP makes it read its configuration again: wholly, or not at all.
#[derive(Args, Debug)]
#[command(subcommand_negates_reqs = true)]
#[command(after_long_help = "\
Examples:
  asof edge --config edge.toml --check             say what would be in effect, and exit
  asof edge --config new.toml --check --against edge.toml       what going over to it changes
  asof edge --config edge.toml
  asof edge report                                 what a running edge does with each route
  asof edge bypass all on                          send everything past its cache, at once
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
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    /// Read and check the configuration, say what would be in effect, and exit
    #[arg(long)]
    check: bool,
    /// With --check: say what it changes to go over from this configuration, and nothing else
    #[arg(long, value_name = "OLD", requires = "check")]
    against: Option<PathBuf>,
    /// How the log is written, on standard error
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    log_format: Lines,
    /// What is logged, such as `warn` or `info,asof_edge::access=off`
    #[arg(
        long,
        env = "ASOF_LOG",
        value_name = "FILTER",
        default_value = "info",
        hide_env_values = true
    )]
    log: String,
    #[command(subcommand)]
    command: Option<EdgeCommand>,
}

/// What is asked of an edge that runs.
#[derive(Subcommand, Debug)]
enum EdgeCommand {
    Report(Report),
    Bypass(Bypass),
    Forgive(Forgive),
}

impl Edge {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        match self.command {
            Some(EdgeCommand::Report(command)) => return command.run(context),
            Some(EdgeCommand::Bypass(command)) => return command.run(context),
            Some(EdgeCommand::Forgive(command)) => return command.run(context),
            None => {}
        }
        let plan = self.plan()?;
        if !self.check {
            return run::serve(&self, plan, &mut context.out);
        }
        run::check(&plan, &self.log)?;
        if let Some(old) = &self.against {
            change::show(&mut context.out, &Change::between(&load(old)?, &plan))?;
            return Ok(Exit::Done);
        }
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

    fn config(&self) -> &Path {
        self.config.as_deref().expect("it is demanded where no running edge is asked")
    }

    /// The configuration as it is in the file now.
    fn plan(&self) -> Result<Plan, Failure> {
        load(self.config())
    }
}

fn load(path: &Path) -> Result<Plan, Failure> {
    Plan::load(path)
        .map_err(|error| Failure::usage(format!("configuration `{}`:\n{error}", path.display())))
}
