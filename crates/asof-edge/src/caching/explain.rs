//! How an answer is made up: what was read, what limited where it is true, what is still known.

use std::sync::Arc;

use asof_cache::{CallKey, Fact, Input, always};
use asof_time::{End, Timestamp, Validity};
use http::{HeaderMap, HeaderValue, Method, Uri};
use serde::Serialize;

use super::auth::Identity;
use super::moment::Sight;
use super::report::parameter;
use super::root::Gathered;
use super::{Inner, canonical};
use crate::problem::{Problem, ProblemKind};
use crate::target::host_of;

/// How deep a tree is told.
const DEPTH_MAX: usize = 16;

/// How many inputs of one call are told.
const INPUTS_MAX: usize = 256;

/// A call, and what is known of it at the moment.
#[derive(Serialize)]
pub(crate) struct Explained {
    call: String,
    key: String,
    /// `held`, `held for another time`, `not held`, `clock`.
    known: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    through: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
    /// Whether this input begins, or ends, the interval of the call above it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    limits: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    inputs: Vec<Explained>,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<u64>,
}

impl Inner {
    /// Explains the call that `path` (with its query) and `cookie` name, at `as_of` or latest. Its
    /// service is the one named, or that to which the rules of the ingress lead from `host`.
    /// Nothing is executed.
    pub(crate) async fn explain(self: &Arc<Self>, query: &str) -> Result<Explained, Problem> {
        let malformed = |detail: &str| Problem::new(ProblemKind::Malformed, detail);
        let path = parameter(query, "path").ok_or_else(|| malformed("say path=/PATH?QUERY"))?;
        let uri: Uri = path.parse().map_err(|_| malformed("the path is no path"))?;
        let mut headers = HeaderMap::new();
        for (name, wanted) in [("cookie", "cookie"), ("as-of", "as_of")] {
            if let Some(value) = parameter(query, wanted) {
                let value =
                    HeaderValue::try_from(value).map_err(|_| malformed("a value is no text"))?;
                headers.insert(name, value);
            }
        }
        let plan = self.plan.load_full();
        let plan =
            plan.as_ref().as_ref().ok_or_else(|| malformed("there is no configuration yet"))?;
        let routes = self.routes.load_full();
        let service = if let Some(service) = parameter(query, "service") {
            service
        } else {
            let host = parameter(query, "host");
            let host = host.as_deref().and_then(host_of);
            let rule = plan.rule(host.as_deref(), uri.path());
            let rule = rule.ok_or_else(|| {
                malformed("no rule of the ingress leads from this host and path to a service")
            })?;
            rule.service.as_str().to_owned()
        };
        let known = routes.find(&service, &Method::GET, uri.path());
        let known = known.ok_or_else(|| malformed("no route of this service matches the path"))?;
        let root = match self
            .gather(plan, Some(known), &headers, &uri, &Identity::default(), Sight::Closed)
            .await
        {
            Gathered::Root(root) => root,
            Gathered::Refused(problem) => return Err(problem),
            Gathered::Pass => return Err(malformed("a store of the route is lost")),
        };
        let (state, _) = self.states(&root, known).await?;
        let release = self.release(&root, &known.route.service).await?.text;
        let (method, body) = (&Method::GET, bytes::Bytes::new());
        let call = canonical::call(known, method, &uri, &headers, state, release, body);
        let asked = parameter(query, "as_of").and_then(|text| text.parse().ok());
        let at = asked.unwrap_or(root.at);
        let mut explained = self.tell(call.key(), at, Some(&call), 0);
        explained.as_of = Some(at.as_micros());
        Ok(explained)
    }

    fn tell(
        &self,
        key: CallKey,
        at: Timestamp,
        call: Option<&asof_cache::Call>,
        depth: usize,
    ) -> Explained {
        let held = self.cache.call(key);
        let name = call.or(held.as_deref()).map_or_else(|| "(not held any more)".to_owned(), name);
        let facts = self.cache.facts(key);
        let before = facts.iter().rev().find(|fact| fact.validity.from() <= at);
        let Some(fact) = before else {
            let known = if facts.is_empty() { "not held" } else { "held for another time" };
            return Explained::bare(name, key.to_string(), known);
        };
        let now = fact.validity.contains(at);
        let known = if now { "held" } else { "held for another time" };
        let inputs = fact.trace.inputs().iter().take(INPUTS_MAX);
        let own = |input: &&Input| input.call() != Some(key);
        let inputs = inputs.filter(own).filter(|_| depth < DEPTH_MAX);
        let mut inputs: Vec<(Explained, Validity)> =
            inputs.map(|input| self.tell_input(input, fact, depth)).collect();
        for (explained, validity) in &mut inputs {
            explained.limits = limits(fact.validity, *validity);
        }
        let inputs = inputs.into_iter().map(|(explained, _)| explained).collect();
        let hash = Some(fact.content.hash().to_string());
        Explained { hash, inputs, ..Explained::bare(name, key.to_string(), known) }
            .over(fact.validity)
    }

    fn tell_input(&self, input: &Input, above: &Fact, depth: usize) -> (Explained, Validity) {
        let at = above.validity.last();
        match input {
            Input::Clock(bucket) => {
                let clock = Explained::bare("wall time".to_owned(), String::new(), "clock");
                (clock.over(*bucket), *bucket)
            }
            Input::Key { call, .. }
            | Input::Range { call, .. }
            | Input::Space { call, .. }
            | Input::Nested { call, .. } => {
                let validity =
                    self.cache.fact_at(*call, at).map_or_else(always, |fact| fact.validity);
                (self.tell(*call, at, None, depth + 1), validity)
            }
        }
    }
}

impl Explained {
    fn bare(call: String, key: String, known: &'static str) -> Self {
        let (from, until, through, hash, as_of) = (None, None, None, None, None);
        let (limits, inputs) = (Vec::new(), Vec::new());
        Self { call, key, known, from, until, through, hash, limits, inputs, as_of }
    }

    fn over(mut self, validity: Validity) -> Self {
        self.from = Some(validity.from().as_micros());
        match validity.end() {
            End::Until(until) => self.until = Some(until.as_micros()),
            End::Through(through) => self.through = Some(through.as_micros()),
        }
        self
    }
}

fn limits(above: Validity, input: Validity) -> Vec<&'static str> {
    let from = (input.from() == above.from()).then_some("from");
    let end = (input.last() == above.last()).then_some("end");
    from.into_iter().chain(end).collect()
}

fn name(call: &asof_cache::Call) -> String {
    let query = if call.query.is_empty() { "" } else { "?" };
    let state: Vec<String> =
        call.state.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    format!("{} {} {}{query}{}{}", call.method, call.service, call.path, call.query, state.concat())
}
