//! Randomness of the operating system.

/// Fills `buffer` with bytes nobody can guess.
///
/// # Panics
/// When the system has no randomness: no key could be made, and nothing may go on.
pub fn fill(buffer: &mut [u8]) {
    getrandom::fill(buffer).expect("the operating system gives random bytes");
}
