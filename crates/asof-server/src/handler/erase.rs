//! Erasing keys.

use asof_api::body::{EraseOutcome, EraseRequest, ErasureListBody};
use asof_store::{DryRun, Erasable, Erase, Key, Known, SpaceName, Touched};

use crate::convert;
use crate::dispatch::Call;
use crate::handler::dry_run;
use crate::refusal::{Answer, Refusal};
use crate::reply;

pub(crate) async fn erase(call: &Call<'_>, space: SpaceName, body: EraseRequest) -> Answer {
    let by = call.actor_called(&body.author, &body.reason);
    let (dry_run, versions) = (dry_run(call)?, confirmed(call)?);
    let request = Erase { space, key: Key::new(&body.key)?, versions, known: Known::Must };
    let outcome = call
        .app
        .walk(move |store| {
            let done = store.erase(&request, by, dry_run)?;
            let confirm = done.erasure.is_none().then_some(Touched::Versions(done.versions));
            Ok(EraseOutcome {
                dry_run: dry_run == DryRun::Yes,
                space: request.space.to_string(),
                key: request.key.to_string(),
                versions: done.versions,
                bytes: done.bytes,
                first: done.first.map(Into::into),
                last: done.last.map(Into::into),
                pins: done.pins.into_iter().map(convert::pin).collect(),
                pending: done.pending.into_iter().map(Into::into).collect(),
                releases: done.releases,
                out_of_reach: out_of_reach(done.erasable),
                confirm: confirm.map(|word| word.to_string()),
                erasure: done.erasure.map(convert::erasure),
            })
        })
        .await?;
    Ok(reply::json(&outcome))
}

/// What nobody can reach from here.
fn out_of_reach(erasable: Erasable) -> Vec<String> {
    let mut copies = vec![
        "backups taken before: `asof restore` erases the key again from what is restored, given \
         the list of `asof erasures`"
            .to_owned(),
        "exports, and whatever else clients have kept of what they read".to_owned(),
        "messages of commits and reasons in the audit, where they tell what the key held"
            .to_owned(),
        "pages of the store's file that are free now, until they are written again: see \
         docs/erasure.md"
            .to_owned(),
    ];
    if erasable == Erasable::No {
        copies.push(
            "HTTP caches in front, which were told that answers of this space are immutable: \
             purge them, or wait for a year"
                .to_owned(),
        );
    }
    copies
}

fn confirmed(call: &Call<'_>) -> Result<Option<u64>, Refusal> {
    let word = call.query.text("confirm")?.map(|text| {
        let number = text.strip_suffix("-versions").and_then(|number| number.parse().ok());
        number.ok_or_else(|| {
            Refusal::invalid(format!(
                "confirm is `{}`, and not a word such as `12-versions`: the dry run says which one",
                text.escape_debug()
            ))
        })
    });
    word.transpose()
}

pub(crate) async fn list(call: &Call<'_>) -> Answer {
    let after = call.query.parsed("after")?.unwrap_or(0);
    let limit = call.query.limit()?;
    let erasures = call.app.walk(move |store| Ok(store.erasures(after, limit)?)).await?;
    // A full page may be the last one; the next is then empty.
    let last = erasures.last().map(|erasure| erasure.sequence);
    Ok(reply::json(&ErasureListBody {
        next: last.filter(|_| erasures.len() >= limit),
        erasures: erasures.into_iter().map(convert::erasure).collect(),
    }))
}

pub(crate) async fn set_erasable(call: &Call<'_>, space: SpaceName) -> Answer {
    let by = call.actor()?;
    let info = call
        .app
        .walk(move |store| {
            store.set_erasable(&space, by)?;
            Ok(store.space(&space)?)
        })
        .await?;
    Ok(reply::json(&convert::space(info)))
}
