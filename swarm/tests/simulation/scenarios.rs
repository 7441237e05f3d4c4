//! Groups in which one thing happens.
