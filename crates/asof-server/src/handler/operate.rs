//! Operating on time: the cap, commits marked bad, reverts.

use core::time::Duration;

use asof_api::body::{BadCommitListBody, CapOutcome, CapRequest, CapState, RevertRequest};
use asof_store::{
    Actor, BadCommits, CapMove, ClearCap, Confirm, Conflicts, DryRun, Effective, Key, Revert,
    RevertTarget, Role, SetCap, SpaceName, Store, Touched,
};
use http::Response;

use crate::body::Body;
use crate::confirmed;
use crate::convert;
use crate::dispatch::Call;
use crate::handler::commits::id;
use crate::handler::dry_run;
use crate::refusal::{Answer, Refusal};
use crate::reply;

pub(crate) fn cap(call: &Call<'_>) -> Response<Body> {
    let app = call.app;
    let is_operator = call.caller.is_at_least(Role::Operator) && call.caller.covers_all();
    let edges = is_operator
        .then(|| confirmed::edges(&app.edges.all(), &app.store, app.settings.clock.boot()));
    reply::json(&CapState { cap: app.store.cap().map(convert::cap), edges })
}

pub(crate) async fn set_cap(call: &Call<'_>, body: CapRequest) -> Answer {
    let by = call.actor_called(&body.author, &body.reason);
    let request = SetCap {
        at: body.at.into(),
        ttl: body.ttl_seconds.map(Duration::from_secs),
        replaces: body.replaces.map(Into::into),
        bad: bad(call)?,
        confirm: confirm(call)?,
    };
    move_cap(call, by, move |store, by, dry_run| store.set_cap(request, by, dry_run)).await
}

pub(crate) async fn clear_cap(call: &Call<'_>) -> Answer {
    let request =
        ClearCap { at: call.query.parsed("at")?, bad: bad(call)?, confirm: confirm(call)? };
    let by = call.actor()?;
    move_cap(call, by, move |store, by, dry_run| store.clear_cap(request, by, dry_run)).await
}

async fn move_cap(
    call: &Call<'_>,
    by: Actor,
    change: impl FnOnce(&Store, Actor, DryRun) -> asof_store::Result<CapMove> + Send + 'static,
) -> Answer {
    let dry_run = dry_run(call)?;
    let above = call.app.settings.confirm_above_keys;
    let (told, now) = (call.app.edges.all(), call.app.settings.clock.boot());
    let outcome = call
        .app
        .walk(move |store| {
            let control_sequence = store.control_sequence();
            let CapMove { before, after, blast } = change(store, by, dry_run)?;
            Ok(CapOutcome {
                dry_run: dry_run == DryRun::Yes,
                before: convert::time_body(before, control_sequence),
                after: convert::time_body(after, store.control_sequence()),
                confirm: second_word(above, blast.keys),
                blast: convert::blast(blast),
                edges: confirmed::edges_at(&told, store, now, after.latest),
            })
        })
        .await?;
    Ok(reply::json(&outcome))
}

fn bad(call: &Call<'_>) -> Result<BadCommits, Refusal> {
    Ok(if call.query.flag("even_bad")? { BadCommits::Show } else { BadCommits::Refuse })
}

/// The word that touching so many keys takes.
fn second_word(above: u64, keys: u64) -> Option<String> {
    (keys > above).then(|| Touched::Keys(keys).to_string())
}

/// The second word that was given, and from how many keys on it takes one.
fn confirm(call: &Call<'_>) -> Result<Confirm, Refusal> {
    let above = call.app.settings.confirm_above_keys;
    let keys = call.query.text("confirm")?.map(|text| {
        let number = text.strip_suffix("-keys").and_then(|number| number.parse().ok());
        number.ok_or_else(|| {
            Refusal::invalid(format!(
                "confirm is `{}`, and not a word such as `48213-keys`: the refusal without it \
                 says which one",
                text.escape_debug()
            ))
        })
    });
    Ok(Confirm { above, keys: keys.transpose()? })
}

pub(crate) fn bad_commits(call: &Call<'_>) -> Response<Body> {
    let bad = call.app.store.bad_commits().into_iter();
    reply::json(&BadCommitListBody { bad: bad.map(convert::bad_commit).collect() })
}

pub(crate) async fn mark_bad(call: &Call<'_>) -> Answer {
    let (id, by) = (id(call)?, call.actor()?);
    let bad = call.app.walk(move |store| Ok(store.mark_bad(id, by)?)).await?;
    Ok(reply::json(&convert::bad_commit(bad)))
}

pub(crate) async fn unmark_bad(call: &Call<'_>) -> Answer {
    let (id, by) = (id(call)?, call.actor()?);
    let bad = call.app.walk(move |store| Ok(store.unmark_bad(id, by)?)).await?;
    Ok(reply::json(&convert::bad_commit(bad)))
}

pub(crate) async fn revert(call: &Call<'_>, body: RevertRequest) -> Answer {
    let target = match (body.commit, body.after, body.through) {
        (Some(id), None, None) => RevertTarget::Commit(id.into()),
        (None, Some(after), Some(through)) => {
            RevertTarget::Range { after: after.into(), through: through.into() }
        }
        _ => {
            let detail = "a revert names either a commit, or both after and through";
            return Err(Refusal::invalid(detail));
        }
    };
    let keys = |keys: Vec<asof_api::body::KeyBody>| {
        let keys = keys.into_iter();
        keys.map(|key| Ok((SpaceName::new(&key.space)?, Key::new(&key.key)?)))
            .collect::<Result<Vec<_>, Refusal>>()
    };
    let request = Revert {
        target,
        space: body.space.as_deref().map(SpaceName::new).transpose()?,
        effective: body.effective_at.map_or(Effective::Now, |at| Effective::At(at.into())),
        conflicts: if body.skip_conflicts { Conflicts::Keep } else { Conflicts::Refuse },
        keep: keys(body.keep)?,
        restore: keys(body.restore)?,
        confirm: confirm(call)?,
    };
    let by = call.actor_called(&body.author, &body.reason);
    let dry_run = dry_run(call)?;
    let outcome = call.app.walk(move |store| Ok(store.revert(&request, by, dry_run)?)).await?;
    let confirm = second_word(call.app.settings.confirm_above_keys, outcome.keys);
    Ok(reply::json(&convert::revert(outcome, dry_run, confirm)))
}
