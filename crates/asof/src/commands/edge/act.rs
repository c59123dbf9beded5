//! `asof edge bypass`, `asof edge forgive`

use clap::{Args, ValueEnum};
use http::Method;
use serde_json::Value;

use super::admin::Admin;
use super::report;
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Send requests of a route past the cache, at once, or no longer
///
/// What is held stays held: once the bypass is off, it is served again. It lasts until it is
/// turned off or the edge restarts.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof edge bypass all on
  asof edge bypass 'pages GET /{*path}' on         the name as `asof edge report` shows it
  asof edge bypass all off")]
pub(crate) struct Bypass {
    /// Name of the route, or `all`
    route: String,
    /// Whether requests go past the cache
    #[arg(value_enum)]
    switch: Switch,
    #[command(flatten)]
    admin: Admin,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Switch {
    On,
    Off,
}

/// End the quarantine of a route; it is observed anew before it serves
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof edge forgive 'pages GET /{*path}'           once its service is mended
  asof edge forgive all")]
pub(crate) struct Forgive {
    /// Name of the route, or `all`
    route: String,
    #[command(flatten)]
    admin: Admin,
}

impl Bypass {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let on = if self.switch == Switch::On { "true" } else { "false" };
        let parameters = [("route", self.route.as_str()), ("on", on)];
        let routes = self.admin.ask(Method::POST, "/bypass", &parameters)?;
        show(context, &routes)
    }
}

impl Forgive {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let routes = self.admin.ask(Method::POST, "/forgive", &[("route", &self.route)])?;
        show(context, &routes)
    }
}

fn show(context: &mut Context, routes: &Value) -> Result<Exit, Failure> {
    if context.out.is_json() {
        context.out.json(routes)?;
    } else {
        report::routes(&mut context.out, routes)?;
    }
    Ok(Exit::Done)
}
