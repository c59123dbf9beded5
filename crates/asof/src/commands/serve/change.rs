//! What it changes to go over to another configuration.

use std::collections::BTreeMap;

use asof_server::Config;
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Output;

/// A setting that is another.
#[derive(Debug, Serialize)]
struct Changed {
    setting: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    /// What follows from it that the values do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    consequence: Option<&'static str>,
}

/// Says what changes if `after` takes the place of `before`, defaults included.
pub(super) fn show(out: &mut Output, before: &Config, after: &Config) -> Result<(), Failure> {
    let changed = between(before.settings(), after.settings());
    if out.is_json() {
        let restart = !changed.is_empty();
        return out.json(&serde_json::json!({ "settings": changed, "restart": restart }));
    }
    if changed.is_empty() {
        return out.line("nothing changes");
    }
    for Changed { setting, before, after, consequence } in &changed {
        let shown = match (before, after) {
            (Some(before), Some(after)) => format!("{setting}: {before} -> {after}"),
            (None, Some(after)) => format!("{setting}: new, {after}"),
            (Some(before), None) => format!("{setting}: gone, was {before}"),
            (None, None) => continue,
        };
        out.line(&shown)?;
        if let Some(consequence) = consequence {
            out.line(&format!("  {consequence}"))?;
        }
    }
    out.line("it takes a restart; what is stored, pinned and capped stays as it is")
}

fn between(before: BTreeMap<String, String>, mut after: BTreeMap<String, String>) -> Vec<Changed> {
    let mut changed = Vec::new();
    for (setting, was) in before {
        let is = after.remove(&setting);
        if is.as_ref() != Some(&was) {
            changed.push(Changed::of(setting, Some(was), is));
        }
    }
    changed.extend(after.into_iter().map(|(setting, is)| Changed::of(setting, None, Some(is))));
    changed.sort_by(|a, b| a.setting.cmp(&b.setting));
    changed
}

impl Changed {
    fn of(setting: String, before: Option<String>, after: Option<String>) -> Self {
        let consequence = consequence(&setting, before.as_deref(), after.as_deref());
        Self { setting, before, after, consequence }
    }
}

/// What follows from a change that its numbers do not say.
fn consequence(setting: &str, before: Option<&str>, after: Option<&str>) -> Option<&'static str> {
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u64>().ok());
    let falls = number(after) < number(before);
    let text = match (setting, after) {
        ("data", _) => {
            "another store: another epoch, so that no cursor, token or cached fact holds"
        }
        ("listen", _) => "clients and edges must be told the new address",
        ("require_tokens", Some("true")) => "clients on loopback without a token are refused",
        ("require_tokens", _) => "without any token on loopback, everybody there is an operator",
        ("tls_terminated_elsewhere", Some("true")) => {
            "tokens travel in the clear up to this server"
        }
        ("guard.confirm_above_keys", _) if !falls => {
            "actions on more keys go without a second word"
        }
        ("guard.confirm_above_keys", _) => "actions on fewer keys take a second word",
        ("store.value_bytes_max", _) if falls => {
            "larger values that are stored stay readable; new ones are refused"
        }
        ("limits.followers", _) if falls => "followers beyond it are refused: count the edges",
        ("store.schedule_limit", _) => "what is scheduled already stays scheduled",
        ("tls.cert" | "tls.key", None) => "clients must speak plain HTTP",
        _ => return None,
    };
    Some(text)
}
