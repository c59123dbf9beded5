//! What the engine counts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::config::ServiceName;
use crate::metrics::Usual;

/// The counters of the engine. Labels are words of the configuration and names of outcomes.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// Calls by what became of them: of clients and of services alike.
    pub(crate) outcomes: Family<OutcomeLabels, Counter>,
    usual: Usual<OutcomeLabels>,
    /// Calls that services executed.
    pub(crate) executions: Counter,
    /// Reads that stores were asked.
    pub(crate) reads: Counter,
    /// Of these, conditional ones that were answered with "unchanged".
    pub(crate) unchanged: Counter,
    /// Hits that were answered as the same request was before, since nothing had moved.
    pub(crate) repeats: Counter,
    /// Hits that were executed once more, unseen, to be compared.
    pub(crate) shadows: Counter,
    /// Routes that were held back.
    pub(crate) quarantines: Counter,
    /// Calls that came without a context, or with one of somebody else.
    pub(crate) strangers: Counter,
    /// Calls that came after the answer.
    pub(crate) late: Counter,
    /// Answers of another version than the one in force.
    pub(crate) other_versions: Family<ServiceLabel, Counter>,
    /// Calls that were refused because another edge could not be reached.
    pub(crate) peer_troubles: Counter,
    /// Requests of clients that were not let in.
    pub(crate) denials: Counter,
}

/// A service.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct ServiceLabel {
    pub(crate) service: String,
}

impl ServiceLabel {
    pub(crate) fn of(service: &ServiceName) -> Self {
        Self { service: service.as_str().to_owned() }
    }
}

/// Whom a call was for, and what became of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct OutcomeLabels {
    pub(crate) target: String,
    pub(crate) outcome: &'static str,
}

impl Figures {
    pub(crate) fn count(&self, target: &str, outcome: &'static str) {
        let is = |known: &OutcomeLabels| known.outcome == outcome && known.target == target;
        let make = || OutcomeLabels { target: target.to_owned(), outcome };
        self.usual.inc(&self.outcomes, is, make);
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("edge_calls", "Calls, by outcome", self.outcomes.clone());
        registry.register("edge_executions", "Calls executed by services", self.executions.clone());
        let repeats = self.repeats.clone();
        registry.register("edge_repeats", "Hits like one before, nothing having moved", repeats);
        let shadows = self.shadows.clone();
        registry.register("edge_shadow_executions", "Hits executed again to compare", shadows);
        registry.register("edge_store_reads", "Reads asked of stores", self.reads.clone());
        let unchanged = self.unchanged.clone();
        registry.register("edge_store_unchanged", "Reads answered with unchanged", unchanged);
        registry.register("edge_quarantines", "Routes held back", self.quarantines.clone());
        registry.register("edge_strangers", "Calls without their context", self.strangers.clone());
        let others = self.other_versions.clone();
        registry.register("edge_other_versions", "Answers of a version not in force", others);
        let troubles = self.peer_troubles.clone();
        registry.register("edge_peer_troubles", "Calls refused for want of another edge", troubles);
        registry.register("edge_denials", "Requests not let in", self.denials.clone());
        registry.register("edge_late_calls", "Calls after the answer", self.late.clone());
    }
}
