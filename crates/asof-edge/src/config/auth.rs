//! Who clients are: what says so, and what routes require of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::names::StateName;
use super::plan::{Plan, Route, StateSource};
use super::read::{Reader, value};
use super::url::BaseUrl;
use super::walk::Section;

/// Who clients are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Auth {
    /// Anybody.
    None,
    /// Whoever holds a token whose hash is in the file.
    Tokens {
        /// The file of hashes.
        file: PathBuf,
    },
    /// Whoever holds a JSON web token.
    Jwt {
        /// The key that signatures are checked by.
        key_file: PathBuf,
        /// Who must have issued it.
        issuer: Option<String>,
        /// Whom it must be for.
        audience: Option<String>,
    },
    /// Whomever another service lets in.
    Forward {
        /// The service to ask.
        url: BaseUrl,
        /// What it is asked for.
        path: String,
    },
}

impl Auth {
    /// Its word in a configuration.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Tokens { .. } => "tokens",
            Self::Jwt { .. } => "jwt",
            Self::Forward { .. } => "forward",
        }
    }
}

/// `[auth]`.
pub(crate) fn auth(reader: &mut Reader<'_>, mut section: Section<'_, '_>) -> Auth {
    let words = [("none", 0), ("tokens", 1), ("jwt", 2), ("forward", 3)];
    let mode = section.word("mode", &words).map_or(0, value);
    let missing = |section: &Section<'_, '_>, key: &str| {
        if section.place_of(key) == section.place {
            section.wrong(key, section.place, "missing; this mode needs it");
        }
    };
    let auth = match mode {
        1 => {
            let file = reader.file(&mut section, "file");
            missing(&section, "file");
            file.map(|file| Auth::Tokens { file })
        }
        2 => {
            let key_file = reader.file(&mut section, "key_file");
            missing(&section, "key_file");
            let issuer = section.text("issuer").map(value);
            let audience = section.text("audience").map(value);
            key_file.map(|key_file| Auth::Jwt { key_file, issuer, audience })
        }
        3 => {
            let url = section.parsed("url", str::parse::<BaseUrl>).map(value);
            missing(&section, "url");
            let path = section.parsed("path", path).map_or_else(|| "/".to_owned(), value);
            url.map(|url| Auth::Forward { url, path })
        }
        _ => None,
    };
    section.finish();
    auth.unwrap_or(Auth::None)
}

fn path(text: &str) -> Result<String, String> {
    let good = text.starts_with('/') && text.parse::<http::uri::PathAndQuery>().is_ok();
    if good { Ok(text.to_owned()) } else { Err(format!("`{}` is no path", text.escape_debug())) }
}

/// `require` of a route: for each state value, those that let somebody in.
pub(crate) fn require(section: &mut Section<'_, '_>) -> BTreeMap<StateName, Vec<String>> {
    let required = section.texts_by_name::<StateName>("require").into_iter();
    required.map(|(name, values)| (name, values.into_iter().map(value).collect())).collect()
}

/// The cookie of `[session]`.
pub(crate) fn session(mut section: Section<'_, '_>) -> Option<String> {
    let name = section.parsed("cookie", |text| {
        // A token of RFC 9110, 5.6.2, which is what RFC 6265 asks of a name.
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if !text.is_empty() && text.len() <= 64 && text.bytes().all(good) {
            Ok(text.to_owned())
        } else {
            Err(format!("`{}` is no name of a cookie", text.escape_debug()))
        }
    });
    if name.is_none() && section.place_of("cookie") == section.place {
        section.wrong("cookie", section.place, "missing; write one such as \"asof_session\"");
    }
    section.finish();
    name.map(value)
}

/// What does not fit about who clients are: the path of a member, and why.
pub(crate) fn misfits(plan: &Plan) -> Vec<(String, String)> {
    let mut misfits = Vec::new();
    for (name, state) in &plan.states {
        let why = match (&state.from, &plan.auth) {
            (Some(StateSource::Claim(_)), Auth::None | Auth::Forward { .. }) => {
                "a claim comes with auth.mode = \"jwt\" or \"tokens\" only"
            }
            (Some(StateSource::AuthHeader(_)), auth) if !matches!(auth, Auth::Forward { .. }) => {
                "an auth_header comes with auth.mode = \"forward\" only"
            }
            _ => continue,
        };
        misfits.push((format!("state.{name}.from"), why.to_owned()));
    }
    for (name, service) in &plan.services {
        for (nth, route) in service.routes.iter().enumerate() {
            if let Some(why) = unfit(plan, route) {
                misfits.push((format!("services.{name}.routes[{nth}].require"), why));
            }
        }
    }
    misfits
}

/// Why nobody can be judged by what a route requires.
fn unfit(plan: &Plan, route: &Route) -> Option<String> {
    route.require.keys().find_map(|name| {
        let Some(state) = plan.states.get(name) else {
            return Some(format!("there is no state value `{name}`: add [state.{name}]"));
        };
        let proven = matches!(state.from, Some(StateSource::Claim(_) | StateSource::AuthHeader(_)));
        if !proven {
            return Some(format!(
                "`{name}` is whatever the client says: what is required must begin with a claim \
                 or an auth_header"
            ));
        }
        (!state.lookups.is_empty()).then(|| {
            format!(
                "`{name}` is looked up as of the request's moment, and a rollback would bring \
                 back what was revoked: require what comes with the request alone"
            )
        })
    })
}
