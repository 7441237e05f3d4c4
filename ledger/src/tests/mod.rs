//! What the ledger as a whole must do.

mod accepting;
mod apart;
mod cleaning;
mod committing;
pub(crate) mod fixture;
mod golden;
mod hostile;
mod local;
mod measure;
mod model;
mod random;
mod vouching;
