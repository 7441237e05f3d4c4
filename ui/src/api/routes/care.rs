//! Looking after the drive: wait, scrub, doctor.

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;

use super::files::parsed;
use crate::answers::{Finding, Scrub, ScrubRequest, Wait, WaitFor, Waited};
use crate::api::problem::ApiError;
use crate::api::work::{Answer, Api};

/// Why nothing here is ever safe.
const ALONE: &str =
    "the drive is on this computer alone, and one computer alone is never safe: it needs at least one more";

/// A drive that takes longer is looked over in part, and the answer says so: whoever asks does not wait for ever.
const DOCTOR_PATIENCE: Duration = Duration::from_secs(90);

pub(in crate::api) async fn wait(
    State(api): State<Api>,
    body: Result<Json<Wait>, JsonRejection>,
) -> Answer<Waited> {
    match parsed(body)?.until {
        WaitFor::Safe => Ok(Json(Waited { done: false, why: Some(ALONE.into()) })),
        WaitFor::Synced => api.run(synced).await,
    }
}

/// One computer knows all changes as soon as it has them on disk.
fn synced(api: &Api) -> Result<Waited, ApiError> {
    let drive = api.host.drive();
    let stored = vfs::wait(|reply| drive.sync_all(reply));
    let why =
        stored.err().map(|error| format!("the last changes could not be stored ({error}): see `doctor`"));
    Ok(Waited { done: why.is_none(), why })
}

pub(in crate::api) async fn scrub_state(State(api): State<Api>) -> Json<Scrub> {
    Json(api.scrub.state())
}

pub(in crate::api) async fn start_scrub(
    State(api): State<Api>,
    body: Result<Json<ScrubRequest>, JsonRejection>,
) -> Result<(StatusCode, Json<Scrub>), ApiError> {
    let rate = parsed(body)?.rate.filter(|rate| *rate > 0);
    let failed = |error| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, format!("cannot start ({error})"));
    let started = api.scrub.start(api.host.drive(), rate).map_err(failed)?;
    Ok((StatusCode::ACCEPTED, Json(started)))
}

pub(in crate::api) async fn stop_scrub(State(api): State<Api>) -> Json<Scrub> {
    api.scrub.stop();
    Json(api.scrub.state())
}

pub(in crate::api) async fn doctor(State(api): State<Api>) -> Answer<Vec<Finding>> {
    api.run(|api| {
        let mut findings = api.host.examine();
        let began = Instant::now();
        let told = api.host.drive().doctor(&mut |at| {
            tracing::debug!(?at, "looking the drive over");
            began.elapsed() < DOCTOR_PATIENCE
        });
        findings.extend(told.into_iter().map(finding));
        Ok(findings)
    })
    .await
}

fn finding(found: vfs::DoctorFinding) -> Finding {
    match found.severity {
        vfs::Severity::Fine => Finding::fine(found.what),
        vfs::Severity::Warning => Finding::warning(found.what, found.remedy),
        vfs::Severity::Problem => Finding::problem(found.what, found.remedy),
    }
}
