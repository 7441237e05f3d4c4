//! What a name may lead to after a crash.

use blake3::Hash;

/// The content of a file, or none where there is no such name.
pub(super) type State = Option<Hash>;

/// Every state a name went through since it was last looked at. After a crash it must be in one of those since the
/// last acknowledgement.
#[derive(Debug)]
pub(super) struct Fate {
    states: Vec<State>,
    /// Index of the state that was acknowledged last.
    kept: usize,
    /// Index of the state that the last change of the name led to.
    named: usize,
}

impl Fate {
    /// Begins with what is there.
    pub(super) fn found(state: State) -> Self {
        Self { states: vec![state], kept: 0, named: 0 }
    }

    /// Before the call that changes the content.
    pub(super) fn content_becomes(&mut self, hash: Hash) {
        self.states.push(Some(hash));
    }

    /// Before the call that makes, replaces or removes the name.
    pub(super) fn name_becomes(&mut self, state: State) {
        self.states.push(state);
        self.named = self.states.len() - 1;
    }

    /// The file was synced: its content is kept.
    pub(super) fn content_is_kept(&mut self) {
        self.kept = self.states.len() - 1;
    }

    /// Something was synced: all names are kept.
    pub(super) fn name_is_kept(&mut self) {
        self.kept = self.kept.max(self.named);
    }

    /// Whether the name leads nowhere at present.
    pub(super) fn is_absent(&self) -> bool {
        self.states.last().is_none_or(Option::is_none)
    }

    /// Whether it may be so after a crash.
    pub(super) fn allows(&self, found: State) -> bool {
        self.states[self.kept..].contains(&found)
    }

    /// Whether something is acknowledged that a crash could have taken.
    pub(super) fn is_kept(&self) -> bool {
        self.kept > 0
    }

    /// How it got there, for a failure.
    pub(super) fn told(&self, found: State) -> String {
        let place = self.states.iter().position(|state| *state == found);
        let what = |state: &State| if state.is_some() { "content" } else { "no file" };
        format!(
            "found {} (state {place:?}); there were {} states, number {} ({}) was acknowledged",
            what(&found),
            self.states.len(),
            self.kept,
            what(&self.states[self.kept]),
        )
    }
}
