//! The group: membership, placement, sync, replication. Sans-io: time, messages and disk results in, messages and disk jobs out.
