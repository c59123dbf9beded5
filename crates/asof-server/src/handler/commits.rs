//! Commits: listed, shown, amended, cancelled.

use asof_api::ErrorName;
use asof_api::body::AmendRequest;
use asof_store::{Amendment, Commit, Cursor, LogRange};
use asof_time::Sequence;

use crate::access::Caller;
use crate::convert;
use crate::dispatch::Call;
use crate::handler::{spaces_asked, write};
use crate::moment::beyond_cap;
use crate::query::parse;
use crate::refusal::{Answer, Refusal};
use crate::{cursor, reply, sight};

pub(crate) async fn list(call: &Call<'_>) -> Answer {
    let after = match call.query.text("after")? {
        Some(text) => cursor::read(call, "query parameter `after`", &text)?,
        None => Cursor::START,
    };
    let limit = call.query.limit()?;
    let pending = call.query.flag("pending")?;
    let above_cap = beyond_cap(call)?;
    let spaces = spaces_asked(call)?;
    let caller = call.caller.clone();
    call.app
        .walk(move |store| {
            let mut page = if pending {
                let mut page = store.pending(after, limit)?;
                if let Some(spaces) = spaces {
                    page.commits
                        .retain(|commit| commit.writes.iter().any(|w| spaces.contains(&w.space)));
                }
                page
            } else {
                let range = LogRange { after, spaces, limit };
                if above_cap { store.log_beyond_cap(&range)? } else { store.log(&range)? }
            };
            for commit in &mut page.commits {
                sight::narrow(&caller, commit);
            }
            Ok(reply::json(&convert::commits(store.time().epoch, page)))
        })
        .await
}

pub(crate) async fn show(call: &Call<'_>) -> Answer {
    let id = id(call)?;
    let commit = call.app.walk(move |store| Ok(store.commit_by_id(id)?)).await?;
    check_spaces(call.caller, &commit)?;
    Ok(reply::json(&convert::commit(commit)))
}

pub(crate) async fn amend(call: &Call<'_>, body: AmendRequest) -> Answer {
    let id = id(call)?;
    let writes = body.writes.as_deref().map(convert::writes).transpose()?;
    for write in writes.iter().flatten() {
        call.caller.check_space(&write.space)?;
    }
    let amendment =
        Amendment { effective: body.effective_at.map(Into::into), message: body.message, writes };
    check_own(call, id).await?;
    let by = call.actor()?;
    let receipt = call.app.walk(move |store| Ok(store.amend(id, amendment, by)?)).await?;
    Ok(write::receipt(call, &receipt))
}

pub(crate) async fn cancel(call: &Call<'_>) -> Answer {
    let id = id(call)?;
    check_own(call, id).await?;
    let by = call.actor()?;
    let commit = call.app.walk(move |store| Ok(store.cancel(id, by)?)).await?;
    Ok(reply::json(&convert::commit(commit)))
}

pub(super) fn id(call: &Call<'_>) -> Result<Sequence, Refusal> {
    let number = parse(&"commit id", &call.path.name()?)?;
    Sequence::new(number).ok_or_else(|| Refusal::invalid("a commit id is below 2^53"))
}

/// Refuses what would change a commit in a space that the caller may not write.
async fn check_own(call: &Call<'_>, id: Sequence) -> Result<(), Refusal> {
    if call.caller.covers_all() {
        return Ok(());
    }
    let commit = call.app.walk(move |store| Ok(store.commit_by_id(id)?)).await?;
    check_spaces(call.caller, &commit)
}

/// A commit that touches a space beyond the caller's is, for it, not there.
pub(crate) fn check_spaces(caller: &Caller, commit: &Commit) -> Result<(), Refusal> {
    let written = commit.writes.iter().map(|write| &write.space);
    if written.chain(&commit.opened).all(|space| caller.covers(space)) {
        Ok(())
    } else {
        let detail = format!("there is no commit {} in the spaces of the token", commit.id);
        Err(Refusal::new(ErrorName::NotFound, detail))
    }
}
