//! Shared fixtures of the whole-drive tests.
