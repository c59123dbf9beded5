//! What changes from one plan to the next.

use core::fmt;

use serde::Serialize;

use super::plan::Plan;

/// When a changed setting takes effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// With the reload.
    Reload,
    /// Only when the edge is started anew.
    Restart,
}

/// A setting that is another, appears or disappears.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Difference {
    /// The setting, such as `services.files.timeout`.
    pub setting: String,
    /// What it was.
    pub before: Option<String>,
    /// What it is to be.
    pub after: Option<String>,
    /// When it takes effect.
    pub effect: Effect,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.setting)?;
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, ": {before} -> {after}"),
            (None, Some(after)) => write!(f, ": new, {after}"),
            (Some(before), None) => write!(f, ": gone, was {before}"),
            (None, None) => Ok(()),
        }?;
        match self.effect {
            Effect::Reload => Ok(()),
            Effect::Restart => f.write_str(" (needs a restart)"),
        }
    }
}

impl Plan {
    /// What would change if `next` took the place of this plan, defaults included.
    pub fn diff(&self, next: &Self) -> Vec<Difference> {
        let (before, mut after) = (self.settings(), next.settings());
        let mut differences = Vec::new();
        for (setting, was) in before {
            let is = after.remove(&setting);
            if is.as_ref() != Some(&was) {
                differences.push(difference(setting, Some(was), is));
            }
        }
        let new = after.into_iter().map(|(setting, is)| difference(setting, None, Some(is)));
        differences.extend(new);
        differences.sort_by(|a, b| a.setting.cmp(&b.setting));
        differences
    }
}

fn difference(setting: String, before: Option<String>, after: Option<String>) -> Difference {
    // Certificate and key may be others, but TLS cannot begin or end on an open listener.
    // Likewise whoever tells a collector is there from the start, or never.
    let begins = before.is_none() || after.is_none();
    let whole = ["tls.", "traces."].iter().any(|section| setting.starts_with(section));
    let restart = whole && begins || needs_restart(&setting);
    let effect = if restart { Effect::Restart } else { Effect::Reload };
    Difference { setting, before, after, effect }
}

/// Listeners are opened once, and what bounds their connections with them; memory for results is laid
/// out once.
fn needs_restart(setting: &str) -> bool {
    let whole = ["listen", "admin", "preview_listen", "peer_listen", "tls_terminated_elsewhere"];
    whole.contains(&setting)
        || setting == "traces.endpoint"
        || setting == "limits.connections"
        || setting == "limits.header_bytes"
        || setting == "limits.memory"
        || (setting.starts_with("services.") && setting.ends_with(".egress"))
}
