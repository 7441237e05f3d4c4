//! This computer's way out of the drive.
//!
//! ```text
//!  leave ─► facts say so ─► others own its share, and copy it ─► given over ─► off the roster ─► the others cut it off ─► left
//!             ▲ cancel: as before                                    ▲
//!             └──────────────────────────────────────────────────────┴── --now: at once, if all is elsewhere too
//! ```

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ledger::identity::DeviceId;
use ledger::roster::Role;
use swarm::View;
use tokio::sync::oneshot;
use ui::answers::{Leave, LeaveRequest};
use ui::api::Refusal;

use super::answers::store_everything;
use super::driver::Told;
use super::shared::Shared;
use super::{Group, Keys, Tell};
use crate::leaving;
use crate::stopping::{Reason, Stop};

/// Between two looks at how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Who is off the roster and has had no link for so long is out: those who know cut it off.
const OUT_AFTER: Duration = Duration::from_secs(5);
/// Links that do not end by then end with the daemon.
const OUT_MAX: Duration = Duration::from_secs(60);

/// Takes this computer out of the drive.
pub struct Leaver {
    keys: Keys,
    device: DeviceId,
    shared: Arc<Shared>,
    tell: Tell,
    stop: Stop,
    workspace_folder: PathBuf,
    watched: AtomicBool,
}

impl Leaver {
    pub fn new(
        (keys, device): (Keys, DeviceId),
        (shared, tell, stop): (Arc<Shared>, Tell, Stop),
        workspace_folder: PathBuf,
    ) -> Self {
        Self { keys, device, shared, tell, stop, workspace_folder, watched: AtomicBool::new(false) }
    }

    pub fn is_begun(&self) -> bool {
        leaving::is_begun(&self.workspace_folder)
    }

    /// Off the roster.
    fn is_out(&self) -> bool {
        self.shared
            .with(|known| !known.members.devices.is_empty() && known.members.device(&self.device).is_none())
    }

    /// How far it is.
    pub fn told(&self, view: &View) -> Leave {
        let state = match (self.is_begun(), self.is_out()) {
            (false, _) => "member",
            (true, false) => "leaving",
            (true, true) => "left",
        };
        Leave {
            state: state.into(),
            chunks: view.outbox_chunks as u64,
            counted: view.outbox_complete,
            hosts: view.parting.hosts as u64,
            nothing_lost: view.parting.elsewhere,
            waits_for: (state == "leaving").then(|| self.waits_for(view)).flatten(),
            aside: self.aside(),
        }
    }

    fn aside(&self) -> Option<String> {
        let name = self.workspace_folder.file_name()?.to_string_lossy().into_owned();
        let data = self.workspace_folder.parent()?.parent()?;
        Some(data.join(format!("left-{name}")).display().to_string())
    }

    fn waits_for(&self, view: &View) -> Option<String> {
        let away = self.shared.with(|known| {
            let others =
                view.peers.iter().filter(|peer| !peer.connected && peer.state != swarm::PeerState::Lost);
            let hosts =
                others.filter(|peer| peer.facts.as_ref().is_some_and(|facts| facts.contributed_bytes > 0));
            let names: Vec<String> = hosts
                .filter_map(|peer| known.members.device(&peer.device))
                .map(super::answers::name_of)
                .collect();
            names
        });
        if !away.is_empty() {
            return Some(format!("not reachable: {}", away.join(", ")));
        }
        let full =
            view.peers.iter().filter(|peer| peer.facts.as_ref().is_some_and(|facts| facts.full)).count();
        (full > 0).then(|| format!("{full} of the others have no room left"))
    }

    /// Goes when all is given over. Ends when it was taken back, or done.
    pub async fn watch(self: Arc<Self>) {
        if self.watched.swap(true, Ordering::SeqCst) {
            return;
        }
        while self.is_begun() && !self.is_out() {
            if self.view().await.is_some_and(|view| view.parting.given_over) {
                self.go_if_given_over().await;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        if self.is_begun() {
            self.see_the_others_off().await;
            self.finish();
        }
        self.watched.store(false, Ordering::SeqCst);
    }

    /// Once more with everything on disk that was in memory.
    async fn go_if_given_over(self: &Arc<Self>) {
        let this = Arc::clone(self);
        let stored = tokio::task::spawn_blocking(move || match &this.keys {
            Keys::Drive { drive, .. } => store_everything(drive).is_none(),
            Keys::Host { .. } => true,
        });
        if !stored.await.unwrap_or(false) || !self.view().await.is_some_and(|view| view.parting.given_over) {
            return;
        }
        let this = Arc::clone(self);
        match tokio::task::spawn_blocking(move || this.go()).await {
            Ok(Ok(())) => {}
            Ok(Err(refused)) => tracing::warn!(%refused, "this computer could not be taken out of the drive"),
            Err(error) => tracing::error!(%error, "leaving ended unexpectedly"),
        }
    }

    /// Off the roster, signed by the own user.
    fn go(&self) -> Result<(), Refusal> {
        let refused = |error: String| {
            Refusal::Failed(format!("this computer could not be taken out of the drive ({error})"))
        };
        match &self.keys {
            Keys::Drive { drive, user } => {
                let through = drive.frontier().0.get(&self.device).copied().unwrap_or(0);
                let removed = drive
                    .change_roster(|roster, _| Ok(vec![roster.remove_device(user, self.device, through)?]));
                removed.map_err(|error| refused(error.to_string()))?;
            }
            Keys::Host { host, user } => host.leave(user, self.device).map_err(refused)?,
        }
        self.tell.tell(Told::RosterChanged);
        Ok(())
    }

    /// Who knows that this computer is out cuts it off.
    async fn see_the_others_off(&self) {
        let began = Instant::now();
        let mut alone_since = None;
        while began.elapsed() < OUT_MAX {
            if self.shared.with(|known| known.online.is_empty()) {
                let since = *alone_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= OUT_AFTER {
                    return;
                }
            } else {
                alone_since = None;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn finish(&self) {
        match leaving::end(&self.workspace_folder) {
            Ok(()) => self.stop.ask(Reason::Left),
            Err(error) => {
                tracing::error!(%error, "this computer is out of the drive, and cannot put its data aside");
            }
        }
    }

    async fn view(&self) -> Option<View> {
        let (answer, answered) = oneshot::channel();
        self.tell.tell(Told::View(answer));
        Some(answered.await.ok()?.0)
    }
}

impl Group {
    pub(super) fn leave_now(&self, asked: LeaveRequest) -> Result<Leave, Refusal> {
        let leaver = &self.leaver;
        if asked.cancel {
            self.stay()?;
        } else {
            self.check_that_it_may_leave(asked)?;
            let kept = |error: leaving::LeavingError| Refusal::Failed(error.to_string());
            leaving::begin(&leaver.workspace_folder).map_err(kept)?;
            self.tell.tell(Told::Leaves(true));
            if asked.now && !leaver.is_out() {
                leaver.go()?;
            }
            self.handle.spawn(Arc::clone(leaver).watch());
        }
        Ok(leaver.told(&self.view().0))
    }

    fn stay(&self) -> Result<(), Refusal> {
        let refused = |told: &str| Err(Refusal::Refused(told.into()));
        if !self.leaver.is_begun() {
            return refused("this computer does not leave the drive: there is nothing to take back");
        }
        if self.leaver.is_out() {
            return refused(
                "this computer is out of the drive already: to come back, let another one invite it",
            );
        }
        leaving::cancel(&self.leaver.workspace_folder).map_err(|error| Refusal::Failed(error.to_string()))?;
        self.tell.tell(Told::Leaves(false));
        Ok(())
    }

    fn check_that_it_may_leave(&self, asked: LeaveRequest) -> Result<(), Refusal> {
        if self.leaver.is_out() {
            return Ok(());
        }
        let refused = |told: String| Err(Refusal::Refused(told));
        if !self.shared.with(|known| known.members.has_peers()) {
            return refused(
                "the drive is on this computer alone, and there is nobody to leave it to: `peerdrive down` stops it".into(),
            );
        }
        if self.is_last_of_the_owners() {
            return refused(
                "this is the last computer of an owner, and without one nobody could be invited or taken out any more: invite another \
                 owner first (`peerdrive invite --role owner`, or `peerdrive invite` for a computer of yours)"
                    .into(),
            );
        }
        let Some(told) = self.what_would_be_lost(asked) else { return Ok(()) };
        refused(told)
    }

    fn what_would_be_lost(&self, asked: LeaveRequest) -> Option<String> {
        if asked.lose {
            return None;
        }
        if let Keys::Drive { drive, .. } = &self.keys
            && let Some(why) = asked.now.then(|| store_everything(drive)).flatten()
        {
            return why.why;
        }
        let (view, _) = self.view();
        let (hosts, min) = (view.parting.hosts, usize::from(view.copies.min));
        if asked.now {
            return (!view.parting.elsewhere).then(|| {
                "something here is not known to be on any other computer: `peerdrive leave` hands it over first; \
                 `peerdrive leave --now --lose` goes all the same, and the others lose it"
                    .into()
            });
        }
        (hosts < min).then(|| {
            let others = if hosts == 1 { "computer of the drive keeps" } else { "computers of the drive keep" };
            format!(
                "only {hosts} other {others} copies, and everything is to be on {min} at least: invite another \
                 (`peerdrive invite`), or go with `peerdrive leave --now` as soon as everything is on one of them"
            )
        })
    }

    fn is_last_of_the_owners(&self) -> bool {
        self.shared.with(|known| {
            let of_owners = known.members.present().filter(|device| device.role == Some(Role::Owner));
            let owners: Vec<DeviceId> = of_owners.map(|device| device.id).collect();
            owners == [self.device.id()]
        })
    }
}
