//! Spaces.

use asof_api::ErrorName;
use asof_api::body::{
    RetentionBody, RetentionOutcome, SourceAnswerBody, SpaceListBody, SpaceRequest, SpaceStateName,
    UsageBody,
};
use asof_store::SpaceName;
use http::Response;

use crate::body::Body;
use crate::convert;
use crate::dispatch::Call;
use crate::handler::{dry_run, write};
use crate::refusal::{Answer, Refusal};
use crate::reply;

pub(crate) fn list(call: &Call<'_>) -> Response<Body> {
    let spaces = call.app.store.spaces().into_iter();
    reply::json(&SpaceListBody {
        spaces: spaces
            .filter(|space| call.caller.covers(&space.name))
            .map(convert::space)
            .collect(),
    })
}

pub(crate) fn show(call: &Call<'_>, space: &SpaceName) -> Answer {
    Ok(reply::json(&convert::space(call.app.store.space(space)?)))
}

pub(crate) async fn create(call: &Call<'_>, space: SpaceName, body: SpaceRequest) -> Answer {
    let by = call.actor()?;
    let info = call
        .app
        .walk(move |store| {
            Ok(match body.state {
                SpaceStateName::Live => store.create_space(&space, by)?,
                SpaceStateName::Importing => store.create_importing_space(&space, by)?,
            })
        })
        .await?;
    Ok(reply::json(&convert::space(info)))
}

pub(crate) async fn go_live(call: &Call<'_>, space: SpaceName) -> Answer {
    let by = call.actor()?;
    let receipt = call.app.walk(move |store| Ok(store.go_live(&space, by)?)).await?;
    Ok(write::receipt(call, &receipt))
}

pub(crate) async fn usage(call: &Call<'_>, space: SpaceName) -> Answer {
    let usage = call.app.walk(move |store| Ok(store.space_usage(&space)?)).await?;
    Ok(reply::json(&UsageBody {
        live_keys: usage.live_keys,
        keys: usage.keys,
        erased_keys: usage.erased_keys,
        versions: usage.versions,
        value_bytes: usage.value_bytes,
    }))
}

pub(crate) async fn set_retention(
    call: &Call<'_>,
    space: SpaceName,
    body: RetentionBody,
) -> Answer {
    let by = call.actor()?;
    let dry_run = dry_run(call)?;
    let retention = convert::retention(body);
    let floor = call
        .app
        .walk(move |store| Ok(store.set_retention(&space, retention, by, dry_run)?))
        .await?;
    Ok(reply::json(&RetentionOutcome { floor: floor.into() }))
}

pub(crate) async fn source(call: &Call<'_>, space: SpaceName) -> Answer {
    let id = call.path.name()?.into_owned();
    let asked = id.clone();
    let found = call.app.walk(move |store| Ok(store.source(&space, &asked)?)).await?;
    let (commit, effective) = found.ok_or_else(|| {
        let detail = format!("no commit brought source id `{}`", id.escape_debug());
        Refusal::new(ErrorName::NotFound, detail)
    })?;
    Ok(reply::json(&SourceAnswerBody { commit: commit.into(), effective: effective.into() }))
}
