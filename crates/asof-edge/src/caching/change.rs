//! What a configuration changes about what is served: told before it takes effect, and logged when it
//! does, from the same comparison.

use core::fmt;
use std::collections::BTreeMap;

use serde::Serialize;

use super::routes::{Known, Routes};
use crate::config::{Difference, Effect, Plan};

/// What it changes to go over from one plan to another.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Change {
    /// Settings that are others, with when they take effect.
    pub settings: Vec<Difference>,
    /// Routes that are others.
    pub routes: Vec<RouteChange>,
    /// Whether all results are dropped: a route means something else or is gone, and results do not
    /// say which routes below theirs they were made of.
    pub drops_all: bool,
    /// Whether other edges share no tree with this one until they have changed too.
    pub parts_from_peers: bool,
    /// Whether it takes a restart; a reload is refused then.
    pub restart: bool,
}

/// A route that is another, appears or disappears.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RouteChange {
    /// Its name, as reports have it.
    pub route: String,
    /// The mode it had; absent where there was no such route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode_before: Option<&'static str>,
    /// The mode it has then; absent where there is no such route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode_after: Option<&'static str>,
    /// What becomes of what is known of it.
    pub learnt: Learnt,
    /// Executions that must agree before it serves, where it begins anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_min: Option<u64>,
}

/// What becomes of what is known of a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Learnt {
    /// It means what it meant, and stands as it stood.
    Kept,
    /// It means something else: results are dropped, and it is observed anew.
    Dropped,
    /// There was no such route.
    New,
    /// There is no such route any more.
    Gone,
}

impl Change {
    /// What changes if `after` takes the place of `before`.
    pub fn between(before: &Plan, after: &Plan) -> Self {
        let settings = before.diff(after);
        let old = Routes::of(before, &Routes::default());
        let of_routes = old.change_to(&Routes::of(after, &Routes::default()));
        Self {
            restart: settings.iter().any(|setting| setting.effect == Effect::Restart),
            settings,
            routes: of_routes.routes,
            drops_all: of_routes.drops_all,
            parts_from_peers: of_routes.parts_from_peers,
        }
    }
}

/// The part of a [`Change`] that is about routes.
#[derive(Debug)]
pub(super) struct RoutesChange {
    pub(super) routes: Vec<RouteChange>,
    pub(super) drops_all: bool,
    pub(super) parts_from_peers: bool,
}

impl Routes {
    /// What changes if `next` takes the place of these.
    pub(super) fn change_to(&self, next: &Self) -> RoutesChange {
        let by_name = |routes: &Self| -> BTreeMap<String, std::sync::Arc<Known>> {
            routes.all().map(|known| (known.name.clone(), std::sync::Arc::clone(known))).collect()
        };
        let (before, mut after) = (by_name(self), by_name(next));
        let mut routes = Vec::new();
        for (name, was) in before {
            let is = after.remove(&name);
            routes.extend(route_change(name, Some(&was), is.as_deref()));
        }
        routes
            .extend(after.into_iter().filter_map(|(name, is)| route_change(name, None, Some(&is))));
        routes.sort_by(|a, b| a.route.cmp(&b.route));
        RoutesChange {
            routes,
            drops_all: !self.all().all(|known| next.has(known.digest)),
            parts_from_peers: self.system() != next.system(),
        }
    }
}

/// `None` where nothing is told apart.
fn route_change(route: String, was: Option<&Known>, is: Option<&Known>) -> Option<RouteChange> {
    let mode = |known: &Known| known.route.mode.as_str();
    let learnt = match (was, is) {
        (Some(was), Some(is)) if was.digest == is.digest => Learnt::Kept,
        (Some(_), Some(_)) => Learnt::Dropped,
        (None, Some(_)) => Learnt::New,
        (_, None) => Learnt::Gone,
    };
    let (mode_before, mode_after) = (was.map(mode), is.map(mode));
    if learnt == Learnt::Kept && mode_before == mode_after {
        return None;
    }
    let anew = matches!(learnt, Learnt::Dropped | Learnt::New);
    let observed_min = is.filter(|_| anew).map(|known| known.route.observed_min);
    Some(RouteChange { route, mode_before, mode_after, learnt, observed_min })
}

impl fmt::Display for RouteChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.route)?;
        match (self.mode_before, self.mode_after) {
            (Some(before), Some(after)) if before != after => write!(f, "{before} -> {after}")?,
            (Some(mode), Some(_)) => f.write_str(mode)?,
            (None, Some(after)) => write!(f, "new, {after}")?,
            (Some(before), None) => write!(f, "gone, was {before}")?,
            (None, None) => {}
        }
        if self.learnt == Learnt::Dropped {
            f.write_str("; it means something else")?;
        }
        match (self.mode_after, self.observed_min) {
            (Some("off"), _) | (_, None | Some(0)) => Ok(()),
            (_, Some(most)) => write!(f, "; {most} executions must agree before it serves"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn plan(routes: &str, more: &str) -> Plan {
        let text = format!(
            "listen = '127.0.0.1:1'\nadmin = '127.0.0.1:2'\n{more}\n\
             [stores.main]\nurl = 'http://127.0.0.1:3'\n\
             [[ingress.rules]]\nservice = 'a'\n\
             [services.a]\nupstreams = ['http://127.0.0.1:4']\n\
             egress = '127.0.0.1:5'\n{routes}"
        );
        Plan::from_toml(&text, Path::new("")).unwrap()
    }

    fn shown(before: &str, after: &str) -> (Vec<String>, bool, bool) {
        let change = Change::between(&plan(before, ""), &plan(after, ""));
        let shown = change.routes.iter().map(ToString::to_string).collect();
        (shown, change.drops_all, change.parts_from_peers)
    }

    const ONE: &str = "[[services.a.routes]]\npath = '/x'\nmode = 'observe'\nobserved_min = 5\n";

    #[test]
    fn a_mode_is_no_other_meaning() {
        let on = ONE.replace("observe'", "on'");
        let expected = vec!["a GET /x: observe -> on".to_owned()];
        assert_eq!(shown(ONE, &on), (expected, false, false));
        assert_eq!(shown(ONE, ONE), (Vec::new(), false, false));
    }

    #[test]
    fn what_changes_the_meaning_of_a_route_drops_everything() {
        let other = ONE.to_owned() + "headers = ['accept-language']\n";
        let expected = "a GET /x: observe; it means something else; 5 executions must agree before \
                        it serves";
        assert_eq!(shown(ONE, &other), (vec![expected.to_owned()], true, true));
        assert_eq!(shown(ONE, ""), (vec!["a GET /x: gone, was observe".to_owned()], true, true));
        let new = "a GET /x: new, observe; 5 executions must agree before it serves";
        assert_eq!(shown("", ONE), (vec![new.to_owned()], false, true));
    }

    #[test]
    fn where_a_canary_goes_every_route_means_something_else() {
        let releases = "[state.tier]\ndefault = ''\nfrom = [{ header = 'tier' }]\n[releases]\nstore = 'main'\n";
        let canary = "[services.a.canary]\nstate = 'tier'\nvalue = 'x'\nrelease = 'a-next'\n";
        let before = plan(ONE, "");
        let text = [canary, ONE, releases].concat();
        let change = Change::between(&before, &plan(&text, ""));
        assert_eq!(change.routes[0].learnt, Learnt::Dropped, "{change:?}");
        assert!(change.drops_all && !change.restart);
    }

    #[test]
    fn settings_come_along_with_when_they_take_effect() {
        let change = Change::between(
            &plan(ONE, ""),
            &plan(ONE, "[limits]\nmemory = '64MiB'\nconnections = 9\n"),
        );
        let shown: Vec<_> =
            change.settings.iter().map(|setting| setting.setting.as_str()).collect();
        assert_eq!(shown, ["limits.connections", "limits.memory"]);
        assert!(change.settings.iter().all(|setting| setting.effect == Effect::Restart));
        assert!(change.restart && !change.drops_all && change.routes.is_empty());
    }
}
