//! Timed releases.

use asof_api::body::{
    CommitWriteBody, ReleaseAmendRequest, ReleaseBody, ReleaseDetailBody, ReleaseEventBody,
    ReleaseListBody, ReleaseOutcome, ReleaseRequest, ReleaseStateName, WriteBody,
};
use asof_store::{
    Actor, Approval, Approving, DryRun, Key, Keys, Later, Op, Operator, PlannedWrite, Precondition,
    Release, ReleaseAmendment, ReleaseState, SpaceName, Store,
};
use bytes::Bytes;
use http::Response;

use crate::app::off_lane;
use crate::body::Body;
use crate::convert;
use crate::dispatch::{Call, from_json};
use crate::handler::dry_run;
use crate::refusal::{Answer, Refusal};
use crate::reply;

pub(crate) fn list(call: &Call<'_>) -> Response<Body> {
    let releases = call.app.store.releases().into_iter();
    reply::json(&ReleaseListBody { releases: releases.map(body).collect() })
}

pub(crate) async fn show(call: &Call<'_>) -> Answer {
    let name = call.path.name()?.into_owned();
    call.app
        .walk(move |store| {
            let (release, planned) = store.release(&name)?;
            let planned = planned.iter().map(planned_body).collect();
            Ok(reply::json(&ReleaseDetailBody { release: body(release), planned }))
        })
        .await
}

pub(crate) async fn plan(call: &Call<'_>, bytes: Bytes) -> Answer {
    let name = call.path.name()?.into_owned();
    let by = operator(call)?;
    let length = bytes.len();
    let read = move || {
        let request: ReleaseRequest = from_json(&bytes)?;
        let request = asof_store::ReleaseRequest {
            name,
            at: request.at.into(),
            message: request.message,
            approving: if request.needs_approval {
                Approving::Needed
            } else {
                Approving::NotNeeded
            },
            keys: if request.alone { Keys::Alone } else { Keys::Shared },
            writes: writes(&request.writes)?,
        };
        Ok::<_, Refusal>(request)
    };
    let request = off_lane(length, read).await??;
    changed(call, move |store, dry_run| store.plan_release(request, by, dry_run)).await
}

pub(crate) async fn amend(call: &Call<'_>, bytes: Bytes) -> Answer {
    let name = call.path.name()?.into_owned();
    let by = operator(call)?;
    let length = bytes.len();
    let read = move || {
        let ReleaseAmendRequest { at, message, writes: new } = from_json(&bytes)?;
        let writes = new.as_deref().map(writes).transpose()?;
        Ok::<_, Refusal>(ReleaseAmendment { at: at.map(Into::into), message, writes })
    };
    let amendment = off_lane(length, read).await??;
    changed(call, move |store, dry_run| store.amend_release(&name, amendment, by, dry_run)).await
}

pub(crate) async fn approve(call: &Call<'_>) -> Answer {
    let (name, by) = (call.path.name()?.into_owned(), operator(call)?);
    changed(call, move |store, dry_run| store.approve_release(&name, by, dry_run)).await
}

pub(crate) async fn schedule(call: &Call<'_>) -> Answer {
    let (name, by) = (call.path.name()?.into_owned(), call.actor()?);
    changed(call, move |store, dry_run| store.schedule_release(&name, by, dry_run)).await
}

pub(crate) async fn cancel(call: &Call<'_>) -> Answer {
    undone(call, Store::cancel_release).await
}

pub(crate) async fn roll_back(call: &Call<'_>) -> Answer {
    let later = if call.query.flag("keep_later")? { Later::Keep } else { Later::Refuse };
    undone(call, move |store, name, by, dry_run| {
        store.roll_back_release(name, later, by, dry_run).map(|(release, _)| release)
    })
    .await
}

async fn changed(
    call: &Call<'_>,
    change: impl FnOnce(&Store, DryRun) -> asof_store::Result<Release> + Send + 'static,
) -> Answer {
    let dry_run = dry_run(call)?;
    let release = call.app.walk(move |store| Ok(change(store, dry_run)?)).await?;
    Ok(reply::json(&body(release)))
}

async fn undone(
    call: &Call<'_>,
    change: impl FnOnce(&Store, &str, Actor, DryRun) -> asof_store::Result<Release> + Send + 'static,
) -> Answer {
    let (name, by, dry_run) = (call.path.name()?.into_owned(), call.actor()?, dry_run(call)?);
    let release = call.app.walk(move |store| Ok(change(store, &name, by, dry_run)?)).await?;
    Ok(reply::json(&ReleaseOutcome { dry_run: dry_run == DryRun::Yes, release: body(release) }))
}

/// Who acts. Two people are told apart by their tokens, where there are any: what they claim to
/// be called is their own to choose.
fn operator(call: &Call<'_>) -> Result<Operator, Refusal> {
    let claimed = call.header(&asof_api::headers::ASOF_AUTHOR)?.unwrap_or_default();
    let principal = call.caller.name().unwrap_or(claimed).to_owned();
    Ok(Operator { actor: call.actor()?, principal })
}

fn writes(bodies: &[WriteBody]) -> Result<Vec<(SpaceName, Key, Op)>, Refusal> {
    let writes = convert::writes(bodies)?.into_iter().enumerate().map(|(index, write)| {
        if write.precondition == Precondition::None {
            return Ok((write.space, write.key, write.op));
        }
        Err(Refusal::invalid(format!(
            "writes[{index}]: a release has no `if`; ask for `alone` to have its keys for itself"
        )))
    });
    writes.collect()
}

fn body(release: Release) -> ReleaseBody {
    let (needs_approval, approved_by) = match release.state.approval() {
        None | Some(Approval::NotNeeded) => (false, None),
        Some(Approval::Needed) => (true, None),
        Some(Approval::Given { by, .. }) => (true, Some(by.clone())),
    };
    let (state, undone) = match &release.state {
        ReleaseState::Draft(_) => (ReleaseStateName::Draft, None),
        ReleaseState::Scheduled(_) => (ReleaseStateName::Scheduled, None),
        ReleaseState::Live(_) => (ReleaseStateName::Live, None),
        ReleaseState::Cancelled(_) => (ReleaseStateName::Cancelled, None),
        ReleaseState::RolledBack(back) => {
            (ReleaseStateName::RolledBack, Some((back.by(), back.at())))
        }
    };
    ReleaseBody {
        name: release.name,
        state,
        at: release.plan.at.into(),
        message: release.plan.message,
        needs_approval,
        approved_by,
        alone: release.plan.keys == Keys::Alone,
        writes: release.plan.writes,
        value_bytes: release.plan.value_bytes,
        planners: release.plan.planners,
        created: release.created.into(),
        commit: release.state.commit().map(Into::into),
        rolled_back_by: undone.map(|(by, _)| by.into()),
        rolled_back_at: undone.map(|(_, at)| at.into()),
        events: release
            .events
            .into_iter()
            .map(|event| ReleaseEventBody {
                at: event.at.into(),
                by: event.by.name,
                reason: event.by.reason,
                action: event.action.as_str().to_owned(),
                detail: event.detail,
            })
            .collect(),
    }
}

fn planned_body(write: &PlannedWrite) -> CommitWriteBody {
    let (hash, bytes) = write.content.map(|(hash, len)| (convert::hash(hash), len)).unzip();
    CommitWriteBody {
        space: write.space.as_str().to_owned(),
        key: write.key.as_str().to_owned(),
        deleted: hash.is_none(),
        erased: false,
        hash,
        bytes,
    }
}
