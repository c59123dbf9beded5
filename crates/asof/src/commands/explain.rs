//! `asof explain`

use asof_time::Timestamp;
use clap::Args;
use http::{Method, Uri};
use serde_json::Value;

use super::edge::admin::{self, Admin};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// How deep a tree is shown.
const DEPTH_MAX: usize = 32;

/// Show how the edge's answer to a request is made up
///
/// Below each call stands what it was seen to read, over which interval that is true, and which
/// of it begins or ends the interval of the call above. Nothing is executed: what is not held is
/// said to be so.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof explain http://shop.example/products/7
  asof explain '/products/7?currency=eur' --as-of 2026-11-23T03:20:00Z
  asof explain /account --cookie 'session=af32'     as the visitor with this cookie
  asof explain /products/7 --json | jq .inputs")]
pub(crate) struct Explain {
    /// Address as a client asks for it, or its path
    url: Uri,
    /// The moment [default: now]
    #[arg(long, value_name = "T")]
    as_of: Option<Timestamp>,
    /// Cookie header of the request
    #[arg(long, value_name = "COOKIE")]
    cookie: Option<String>,
    #[command(flatten)]
    admin: Admin,
}

impl Explain {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let path = self.url.path_and_query().map_or("/", |path| path.as_str());
        let at = self.as_of.map(|at| at.as_micros().to_string());
        let mut parameters = vec![("path", path)];
        parameters.extend(self.url.host().map(|host| ("host", host)));
        parameters.extend(at.as_deref().map(|at| ("as_of", at)));
        parameters.extend(self.cookie.as_deref().map(|cookie| ("cookie", cookie)));
        let explained = self.admin.ask(Method::GET, "/explain", &parameters)?;
        let out = &mut context.out;
        if out.is_json() {
            out.json(&explained)?;
            return Ok(Exit::Done);
        }
        if let Some(at) = moment(&explained, "as_of") {
            out.line(&format!("as of {at}"))?;
        }
        tell(out, &explained, "", "", 0)?;
        Ok(Exit::Done)
    }
}

/// A call and what is below it. `stem` stands before its line, `hang` before what follows.
fn tell(
    out: &mut Output,
    call: &Value,
    stem: &str,
    hang: &str,
    depth: usize,
) -> Result<(), Failure> {
    let name = admin::field(call, "call").as_str().unwrap_or("?");
    out.line(&format!("{stem}{name}  {}", standing(call)))?;
    let inputs = admin::field(call, "inputs").as_array().map(Vec::as_slice).unwrap_or_default();
    if depth >= DEPTH_MAX && !inputs.is_empty() {
        return out.line(&format!("{hang}  ..."));
    }
    for (place, input) in inputs.iter().enumerate() {
        let last = place + 1 == inputs.len();
        let (branch, more) = if last { ("`- ", "   ") } else { ("|- ", "|  ") };
        let (stem, hang) = (format!("{hang}{branch}"), format!("{hang}{more}"));
        tell(out, input, &stem, &hang, depth + 1)?;
    }
    Ok(())
}

/// Whether it is held, where it is true, and what it limits above.
fn standing(call: &Value) -> String {
    let known = admin::field(call, "known").as_str().unwrap_or("?");
    let from = moment(call, "from").map_or_else(String::new, |from| format!(" from {from}"));
    let end = match (moment(call, "until"), moment(call, "through")) {
        (Some(until), _) => format!(" until {until}"),
        (None, Some(through)) => format!(" open, known through {through}"),
        (None, None) => String::new(),
    };
    let limits = admin::field(call, "limits").as_array().into_iter().flatten();
    let limits: Vec<&str> = limits.filter_map(Value::as_str).collect();
    let limits = match limits.as_slice() {
        [] => String::new(),
        limits => format!("; limits the {} above", limits.join(" and ")),
    };
    format!("[{known}]{from}{end}{limits}")
}

fn moment(call: &Value, name: &str) -> Option<Timestamp> {
    admin::field(call, name).as_u64().and_then(Timestamp::from_micros)
}
