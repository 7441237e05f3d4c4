//! The group: who is there, who keeps what, and how logs and chunks get there. A state machine without sockets, clocks or
//! threads: the driver gives it time, frames and what the disk answered, and takes from it frames and jobs for the disk.
//!
//! ```text
//!            Input                                   Output
//!  frames, links ─┐      ┌── peers, facts, roster ──┐   ┌─► frames
//!  fresh chunks  ─┼─►  Node ─ log ─ outbox ─ hosting ┼──►┼─► jobs: read, store, flush, accept
//!  jobs done     ─┘      ├── fetch ── safety ───────┤   └─► fetched, safe through
//!                        └── comparing ─ auditing ───┘
//!                              placement     mending
//! ```
//!
//! The flows and bounds are in `docs/swarm.md`, the messages in `docs/formats/swarm.md`.

mod facts;
mod input;
mod judgement;
mod node;
mod output;
pub mod placement;
mod settings;
mod signed;
mod view;
mod wire;

pub use facts::{
    ADDRESSES_MAX, FACTS_MAX_BYTES, Facts, FactsError, LEAVES, RELAYS, SITE_MAX_BYTES, SignedFacts,
};
pub use input::{Input, Lane, Member, Millis, Urgency};
pub use judgement::{
    Deed, JUDGED_MAX_IDS, JUDGED_MAX_LOGS, JUDGEMENT_MAX_BYTES, Judgement, ProofRecord, SignedJudgement,
    judge,
};
pub use node::Node;
pub use output::{
    FetchError, HOLDERS_MAX_IDS, Job, JobResult, Keep, Output, Priority, Reason, StoreRefusal, audit_proof,
};
pub use settings::{COPIES_MAX, Settings};
pub use view::{
    Audit, Counters, GarbageView, Load, OWNED_GROUP_PARTITIONS, Owned, Parting, PeerState, PeerView,
    Scrubbed, View,
};
pub use wire::{WIRE_VERSION, decode_message_for_fuzzing};
