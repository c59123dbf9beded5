//! The store's types as bodies, and back.

use asof_api::body::{
    BadCommitBody, BlastBody, CapBody, ChangeBody, CommitBody, CommitListBody, CommitWriteBody,
    ContentBody, ControlBody, EntryBody, ErasureBody, GlanceBody, HistoryVersionBody, IfBody,
    ImportProgressBody, PinBody, ReadEntryBody, ReceiptBody, RetentionBody, RevertConflictBody,
    RevertOutcome, Role, SourceBody, SpaceBlastBody, SpaceBody, SpaceStateName, TimeBody,
    TokenBody, ValidityBody, WriteBody,
};
use asof_api::{Hash, ValueForm, ValueInput, ValueOutput};
use asof_store::{
    BadCommit, Blast, Cap, Change, Commit, Content, ContentHash, ContentType, ControlRecord,
    DryRun, Entry, Erasable, Erasure, Extent, Glance, HistoryVersion, Key, LogPage, Op, Pin,
    Precondition, Read, Receipt, Retention, RevertConflict, Scope, Source, SpaceBlast, SpaceInfo,
    SpaceName, SpaceState, Store, StoreTime, Token, Value, Version, Write, Written,
};
use core::time::Duration;

use asof_time::Epoch;

use crate::cursor;
use crate::refusal::Refusal;

pub(crate) fn hash(hash: ContentHash) -> Hash {
    Hash(*hash.as_bytes())
}

pub(crate) fn time(store: &Store) -> TimeBody {
    time_body(store.time(), store.control_sequence())
}

pub(crate) fn time_body(time: StoreTime, control_sequence: u64) -> TimeBody {
    TimeBody {
        epoch: time.epoch.into(),
        floor: time.floor.into(),
        closed: time.closed.into(),
        cap: time.cap.map(Into::into),
        latest: time.latest.into(),
        control_sequence,
    }
}

pub(crate) fn receipt(receipt: &Receipt) -> ReceiptBody {
    ReceiptBody {
        id: receipt.id.into(),
        effective: receipt.effective.into(),
        accepted: receipt.accepted.into(),
        epoch: receipt.epoch.into(),
        replayed: receipt.replayed,
    }
}

pub(crate) fn space(info: SpaceInfo) -> SpaceBody {
    let (state, since, import) = match info.state {
        SpaceState::Live { since } => (SpaceStateName::Live, Some(since.into()), None),
        SpaceState::Importing(progress) => {
            let import = ImportProgressBody {
                commits: progress.commits,
                last_at: progress.last_at.map(Into::into),
                last_source: Some(progress.last_source_id).filter(|id| !id.is_empty()),
            };
            (SpaceStateName::Importing, None, Some(import))
        }
    };
    SpaceBody {
        name: info.name.to_string(),
        state,
        since,
        import,
        retention: match info.retention {
            Retention::KeepAll => RetentionBody::ALL,
            Retention::KeepFor(keep) => RetentionBody::KeepFor { keep_seconds: keep.as_secs() },
            Retention::Sparse { dense, every } => RetentionBody::Sparse {
                dense_seconds: dense.as_secs(),
                every_seconds: every.as_secs(),
            },
        },
        floor: info.floor.into(),
        erasable: info.erasable == Erasable::Yes,
    }
}

pub(crate) fn retention(body: RetentionBody) -> Retention {
    match body {
        RetentionBody::All(_) => Retention::KeepAll,
        RetentionBody::KeepFor { keep_seconds } => {
            Retention::KeepFor(Duration::from_secs(keep_seconds))
        }
        RetentionBody::Sparse { dense_seconds, every_seconds } => Retention::Sparse {
            dense: Duration::from_secs(dense_seconds),
            every: Duration::from_secs(every_seconds),
        },
    }
}

pub(crate) fn commit(commit: Commit) -> CommitBody {
    CommitBody {
        id: commit.id.into(),
        effective: commit.effective.into(),
        accepted: commit.accepted.into(),
        author: commit.author,
        message: commit.message,
        opened: commit.opened.iter().map(ToString::to_string).collect(),
        source: commit.source.map(|source| SourceBody {
            space: source.space.to_string(),
            id: source.id,
            at: source.at.into(),
        }),
        backfilled: commit.backfilled,
        writes: commit
            .writes
            .into_iter()
            .map(|write| CommitWriteBody {
                space: write.space.to_string(),
                key: write.key.to_string(),
                hash: write.content.put().map(|(content, _)| hash(content)),
                bytes: write.content.put().map(|(_, bytes)| bytes),
                deleted: write.content == Written::Deleted,
                erased: write.content == Written::Erased,
            })
            .collect(),
    }
}

pub(crate) fn commits(epoch: Epoch, page: LogPage) -> CommitListBody {
    CommitListBody {
        commits: page.commits.into_iter().map(commit).collect(),
        next: page.next.map(|next| cursor::write(epoch, next)),
    }
}

/// A record of the audit as the API shows it.
pub fn control(record: ControlRecord) -> ControlBody {
    ControlBody {
        sequence: record.sequence,
        at: record.at.into(),
        by: record.by.name,
        reason: record.by.reason,
        action: record.action.as_str().to_owned(),
        subject: record.subject,
        detail: record.detail,
    }
}

pub(crate) fn erasure(erasure: Erasure) -> ErasureBody {
    let Erasure { sequence, space, key, at, by, versions, bytes } = erasure;
    ErasureBody {
        sequence,
        space: space.to_string(),
        key: key.to_string(),
        at: at.into(),
        by: by.name,
        reason: by.reason,
        versions,
        bytes,
    }
}

pub(crate) fn cap(cap: Cap) -> CapBody {
    CapBody {
        at: cap.at.into(),
        author: cap.by.name,
        reason: cap.by.reason,
        set: cap.set.into(),
        expires: cap.expires.map(Into::into),
    }
}

pub(crate) fn blast(blast: Blast) -> BlastBody {
    let of_space = |space: SpaceBlast| SpaceBlastBody {
        space: space.space.to_string(),
        keys: space.keys,
        bytes_before: space.bytes_before,
        bytes_after: space.bytes_after,
    };
    BlastBody {
        from: blast.from.into(),
        to: blast.to.into(),
        keys: blast.keys,
        at_least: blast.extent == Extent::AtLeast,
        bytes_before: blast.bytes_before,
        bytes_after: blast.bytes_after,
        spaces: blast.spaces.into_iter().map(of_space).collect(),
        sample: blast.sample.into_iter().map(change).collect(),
    }
}

fn change(change: Change) -> ChangeBody {
    ChangeBody {
        space: change.space.to_string(),
        key: change.key.to_string(),
        before: change.before.map(glance),
        after: change.after.map(glance),
    }
}

fn glance(glance: Glance) -> GlanceBody {
    GlanceBody {
        hash: hash(glance.content.hash),
        bytes: glance.content.bytes,
        content_type: glance.content.content_type.as_str().to_owned(),
        excerpt: glance.excerpt,
    }
}

pub(crate) fn bad_commit(bad: BadCommit) -> BadCommitBody {
    BadCommitBody {
        commit: bad.commit.into(),
        effective: bad.effective.into(),
        author: bad.by.name,
        reason: bad.by.reason,
        marked: bad.marked.into(),
    }
}

pub(crate) fn revert(
    outcome: asof_store::RevertOutcome,
    dry_run: DryRun,
    confirm: Option<String>,
) -> RevertOutcome {
    let conflict = |conflict: RevertConflict| RevertConflictBody {
        commit: conflict.by.into(),
        effective: conflict.effective.into(),
        change: change(conflict.change),
    };
    RevertOutcome {
        dry_run: dry_run == DryRun::Yes,
        keys: outcome.keys,
        bytes: outcome.bytes,
        unchanged: outcome.unchanged,
        kept: outcome.kept,
        sample: outcome.sample.into_iter().map(change).collect(),
        conflicts: outcome.conflicts,
        in_conflict: outcome.in_conflict.into_iter().map(conflict).collect(),
        confirm,
        receipt: outcome.receipt.as_ref().map(receipt),
    }
}

pub(crate) fn pin(pin: Pin) -> PinBody {
    PinBody {
        name: pin.name,
        owner: pin.owner,
        reason: pin.reason,
        at: pin.at.into(),
        expires: pin.expires.into(),
        held_bytes: None,
    }
}

pub(crate) fn role(role: asof_store::Role) -> Role {
    match role {
        asof_store::Role::Reader => Role::Reader,
        asof_store::Role::Writer => Role::Writer,
        asof_store::Role::Operator => Role::Operator,
    }
}

pub(crate) fn store_role(role: Role) -> asof_store::Role {
    match role {
        Role::Reader => asof_store::Role::Reader,
        Role::Writer => asof_store::Role::Writer,
        Role::Operator => asof_store::Role::Operator,
    }
}

pub(crate) fn token(token: Token) -> TokenBody {
    TokenBody {
        name: token.name,
        role: role(token.role),
        spaces: match token.scope {
            Scope::All => None,
            Scope::Spaces(spaces) => Some(spaces.iter().map(ToString::to_string).collect()),
        },
        created: token.created.into(),
    }
}

pub(crate) fn content(content: &Content) -> ContentBody {
    ContentBody {
        hash: hash(content.hash),
        bytes: content.bytes,
        content_type: content.content_type.as_str().to_owned(),
    }
}

pub(crate) fn entry(entry: Entry) -> EntryBody {
    let content_type = entry.content.content_type.as_str();
    let (value, value_base64) = entry
        .value
        .map(|bytes| ValueOutput::new(content_type, &bytes).members())
        .unwrap_or_default();
    EntryBody {
        key: entry.key.to_string(),
        validity: entry.validity.map(ValidityBody::from),
        effective: entry.effective.into(),
        commit: entry.commit.into(),
        hash: hash(entry.content.hash),
        bytes: entry.content.bytes,
        content_type: content_type.to_owned(),
        value,
        value_base64,
    }
}

pub(crate) fn read_entry(
    space: &SpaceName,
    key: &Key,
    read: Read<Option<Version>>,
) -> ReadEntryBody {
    let version = read.value;
    let (value, value_base64) = version
        .as_ref()
        .map(|version| ValueOutput::new(version.content_type.as_str(), &version.bytes).members())
        .unwrap_or_default();
    ReadEntryBody {
        space: space.to_string(),
        key: key.to_string(),
        absent: version.is_none(),
        validity: read.validity.map(ValidityBody::from),
        effective: version.as_ref().map(|version| version.effective.into()),
        commit: version.as_ref().map(|version| version.commit.into()),
        hash: version.as_ref().map(|version| hash(version.hash)),
        bytes: version.as_ref().map(|version| version.bytes.len() as u64),
        content_type: version.map(|version| version.content_type.as_str().to_owned()),
        value,
        value_base64,
    }
}

pub(crate) fn history_version(version: HistoryVersion) -> HistoryVersionBody {
    HistoryVersionBody {
        effective: version.effective.into(),
        validity: version.validity.map(ValidityBody::from),
        commit: version.commit.into(),
        deleted: version.content.is_none(),
        hash: version.content.as_ref().map(|content| hash(content.hash)),
        bytes: version.content.as_ref().map(|content| content.bytes),
        content_type: version.content.map(|content| content.content_type.as_str().to_owned()),
    }
}

/// What a write does to its key.
pub(crate) fn op(input: ValueInput<'_>) -> Result<Op, Refusal> {
    match input.form() {
        Ok(ValueForm::Put { content_type, bytes }) => Ok(Op::Put(Value {
            content_type: ContentType::new(content_type)?,
            bytes: bytes.into(),
        })),
        Ok(ValueForm::Delete) => Ok(Op::Delete),
        Err(error) => Err(Refusal::invalid(error.to_string())),
    }
}

pub(crate) fn write(body: &WriteBody) -> Result<Write, Refusal> {
    Ok(Write {
        space: SpaceName::new(&body.space)?,
        key: Key::new(&body.key)?,
        op: op(body.input())?,
        precondition: match body.precondition {
            None => Precondition::None,
            Some(IfBody::Absent(_)) => Precondition::Absent,
            Some(IfBody::Present(_)) => Precondition::Present,
            Some(IfBody::Hash(hash)) => Precondition::HashIs(ContentHash::from_bytes(hash.0)),
            Some(IfBody::UnchangedSince(at)) => Precondition::UnchangedSince(at.into()),
        },
    })
}

pub(crate) fn writes(bodies: &[WriteBody]) -> Result<Vec<Write>, Refusal> {
    bodies
        .iter()
        .enumerate()
        .map(|(index, body)| {
            write(body).map_err(|mut refusal| {
                let problem = refusal.problem_mut();
                problem.detail = format!("writes[{index}]: {}", problem.detail);
                refusal
            })
        })
        .collect()
}

pub(crate) fn source(body: SourceBody) -> Result<Source, Refusal> {
    Ok(Source { space: SpaceName::new(&body.space)?, id: body.id, at: body.at.into() })
}
