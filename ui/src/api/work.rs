//! Work that touches the drive runs on threads that may block, a bounded number of requests at a time.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use serde::Serialize;
use tokio::sync::{Semaphore, watch};
use vfs::Drive;

use super::host::Host;
use super::problem::ApiError;
use super::scrub_job::ScrubJob;
use super::uploads::Uploads;

/// Requests that work on the drive at a time.
const MAX_REQUESTS_AT_WORK: usize = 4;
/// Requests that wait for the group at a time.
const MAX_REQUESTS_WAITING: usize = 16;
/// Folders packed at a time; each has a thread.
const MAX_ARCHIVES: usize = 2;
/// Pages that listen to events at a time.
const MAX_LISTENERS: usize = 8;
/// How long a request waits for its turn.
const TURN_WAIT: Duration = Duration::from_secs(20);

/// What every route has.
#[derive(Clone)]
pub(super) struct Api {
    pub(super) host: Arc<dyn Host>,
    pub(super) scrub: Arc<ScrubJob>,
    turns: Arc<Semaphore>,
    waits: Arc<Semaphore>,
    /// Turns true when the daemon ends: streams that would never end do then.
    pub(super) stop: watch::Receiver<bool>,
    pub(super) uploads: Arc<Uploads>,
    /// Folders that are being packed.
    pub(super) archives: Arc<Semaphore>,
    /// Pages that are told what happens.
    pub(super) listeners: Arc<Semaphore>,
}

/// What routes answer.
pub(super) type Answer<T> = Result<Json<T>, ApiError>;

impl Api {
    pub(super) fn new(host: Arc<dyn Host>, stop: watch::Receiver<bool>) -> Self {
        let permits = |count| Arc::new(Semaphore::new(count));
        Self {
            host,
            scrub: Arc::default(),
            turns: permits(MAX_REQUESTS_AT_WORK),
            waits: permits(MAX_REQUESTS_WAITING),
            stop,
            uploads: Arc::default(),
            archives: permits(MAX_ARCHIVES),
            listeners: permits(MAX_LISTENERS),
        }
    }

    /// The drive, for what needs its files.
    pub(super) fn drive(&self) -> Result<Arc<Drive>, ApiError> {
        let blind = "this computer keeps sealed data for others and sees no files: ask on one of theirs";
        self.host.drive().ok_or_else(|| ApiError::refused(blind))
    }

    /// Runs `work` where it may block.
    pub(super) async fn run<T, W>(&self, work: W) -> Answer<T>
    where
        T: Serialize + Send + 'static,
        W: FnOnce(&Self) -> Result<T, ApiError> + Send + 'static,
    {
        self.in_turn(&self.turns, work).await.map(Json)
    }

    /// The same for work that mostly waits for other computers, and must not keep the rest from its turn.
    pub(super) async fn wait<T, W>(&self, work: W) -> Answer<T>
    where
        T: Serialize + Send + 'static,
        W: FnOnce(&Self) -> Result<T, ApiError> + Send + 'static,
    {
        self.in_turn(&self.waits, work).await.map(Json)
    }

    /// Runs `work` where it may block; for answers that are no JSON.
    pub(super) async fn work<T, W>(&self, work: W) -> Result<T, ApiError>
    where
        T: Send + 'static,
        W: FnOnce(&Self) -> Result<T, ApiError> + Send + 'static,
    {
        self.in_turn(&self.turns, work).await
    }

    async fn in_turn<T, W>(&self, turns: &Arc<Semaphore>, work: W) -> Result<T, ApiError>
    where
        T: Send + 'static,
        W: FnOnce(&Self) -> Result<T, ApiError> + Send + 'static,
    {
        let turn = tokio::time::timeout(TURN_WAIT, Arc::clone(turns).acquire_owned()).await;
        let turn = turn.ok().and_then(Result::ok).ok_or_else(ApiError::overloaded)?;
        let own = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work(&own)
        });
        let broken = "the daemon met a bug while answering; its log says more";
        done.await.map_err(|_| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, broken))?
    }
}
