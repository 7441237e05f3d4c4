//! Work that touches the drive runs on threads that may block, a bounded number of requests at a time.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use serde::Serialize;
use tokio::sync::Semaphore;

use super::host::Host;
use super::problem::ApiError;
use super::scrub_job::ScrubJob;

/// Requests that work on the drive at a time.
const MAX_REQUESTS_AT_WORK: usize = 4;
/// How long a request waits for its turn.
const TURN_WAIT: Duration = Duration::from_secs(20);

/// What every route has.
#[derive(Clone)]
pub(super) struct Api {
    pub(super) host: Arc<dyn Host>,
    pub(super) scrub: Arc<ScrubJob>,
    turns: Arc<Semaphore>,
}

/// What routes answer.
pub(super) type Answer<T> = Result<Json<T>, ApiError>;

impl Api {
    pub(super) fn new(host: Arc<dyn Host>) -> Self {
        let turns = Arc::new(Semaphore::new(MAX_REQUESTS_AT_WORK));
        Self { host, scrub: Arc::default(), turns }
    }

    /// Runs `work` where it may block.
    pub(super) async fn run<T, W>(&self, work: W) -> Answer<T>
    where
        T: Serialize + Send + 'static,
        W: FnOnce(&Self) -> Result<T, ApiError> + Send + 'static,
    {
        let busy = || ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once: try again");
        let turn = tokio::time::timeout(TURN_WAIT, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| busy())?.map_err(|_| busy())?;
        let own = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work(&own)
        });
        let broken = "the daemon met a bug while answering; its log says more";
        done.await.map_err(|_| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, broken))?.map(Json)
    }
}
