//! Bytes that must never change without a new format number.
