//! Bearer tokens.

use asof_api::ErrorName;
use asof_api::body::{TokenListBody, TokenRequest, TokenSecretBody};
use asof_store::{Role, Scope, SpaceName, Token};
use http::{HeaderValue, Response, header};

use crate::access::{new_secret, token_hash};
use crate::body::Body;
use crate::convert;
use crate::dispatch::Call;
use crate::refusal::{Answer, Refusal};
use crate::reply;

pub(crate) fn list(call: &Call<'_>) -> Response<Body> {
    reply::json(&listed(&call.app.store))
}

fn listed(store: &asof_store::Store) -> TokenListBody {
    TokenListBody { tokens: store.tokens().into_iter().map(convert::token).collect() }
}

pub(crate) async fn create(call: &Call<'_>, body: TokenRequest) -> Answer {
    let role = convert::store_role(body.role);
    let scope = match &body.spaces {
        None => Scope::All,
        Some(names) => {
            Scope::Spaces(names.iter().map(|name| SpaceName::new(name)).collect::<Result<_, _>>()?)
        }
    };
    let settings = &call.app.settings;
    let secret = new_secret(&*settings.random);
    let token = Token {
        name: call.path.name()?.into_owned(),
        role,
        scope,
        hash: token_hash(&secret),
        created: settings.clock.wall(),
    };
    let answer =
        TokenSecretBody { name: token.name.clone(), role: body.role, spaces: body.spaces, secret };
    let by = call.actor()?;
    call.app
        .walk(move |store| {
            // From the first token on, tokens are needed: one that cannot make others would
            // lock everybody out.
            let first = store.tokens().is_empty();
            if first && (token.role != Role::Operator || token.scope != Scope::All) {
                return Err(Refusal::new(
                    ErrorName::Conflict,
                    "the first token must be an operator's for all spaces: nobody could make \
                     another one",
                ));
            }
            Ok(store.create_token(token, by)?)
        })
        .await?;
    let mut response = reply::json(&answer);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

pub(crate) async fn revoke(call: &Call<'_>) -> Answer {
    let name = call.path.name()?.into_owned();
    let by = call.actor()?;
    let left = call
        .app
        .walk(move |store| {
            store.revoke_token(&name, by)?;
            Ok(listed(store))
        })
        .await?;
    Ok(reply::json(&left))
}
