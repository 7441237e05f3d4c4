//! One device's part in the group.

use std::collections::VecDeque;

use ledger::identity::{DeviceId, WorkspaceId};

use crate::input::{Input, Millis};
use crate::output::Output;
use crate::settings::Settings;
use crate::view::View;

/// One device in one workspace.
#[allow(dead_code)]
pub struct Node {
    me: DeviceId,
    workspace: WorkspaceId,
    settings: Settings,
    out: VecDeque<Output>,
}

impl Node {
    /// A node that knows nobody yet. `seed` spreads its timers.
    #[must_use]
    pub fn new(me: DeviceId, workspace: WorkspaceId, settings: Settings, seed: u64) -> Self {
        let _ = seed;
        Self { me, workspace, settings, out: VecDeque::new() }
    }

    /// Takes one event. Then [`Node::poll`] is to be called until it is empty.
    pub fn handle(&mut self, now: Millis, input: Input) {
        let _ = (now, input);
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When [`Input::Tick`] is due at the latest.
    #[must_use]
    pub fn next_wake(&self) -> Option<Millis> {
        None
    }

    /// The state of the group.
    #[must_use]
    pub fn view(&self, now: Millis) -> View {
        let _ = now;
        View::default()
    }
}
