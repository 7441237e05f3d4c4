//! Looking after the drive: wait, scrub, doctor.

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;

use super::parsed;
use crate::answers::{Finding, Problem, Scrub, ScrubRequest, Wait, Waited};
use crate::api::problem::ApiError;
use crate::api::work::{Answer, Api};

/// A drive that takes longer is looked over in part, and the answer says so: whoever asks does not wait for ever.
const DOCTOR_PATIENCE: Duration = Duration::from_secs(90);

#[utoipa::path(post,
    path = "/wait",
    tag = "care",
    request_body = Wait,
    responses((status = 200, description = "Done", body = Waited), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn wait(
    State(api): State<Api>,
    body: Result<Json<Wait>, JsonRejection>,
) -> Answer<Waited> {
    let asked = parsed(body)?;
    api.wait(move |api| Ok(api.host.group().wait(asked.until, asked.path.as_deref().map(str::as_bytes))))
        .await
}

#[utoipa::path(get,
    path = "/scrub",
    tag = "care",
    responses((status = 200, description = "Done", body = Scrub), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn scrub_state(State(api): State<Api>) -> Json<Scrub> {
    Json(api.scrub.state())
}

#[utoipa::path(post,
    path = "/scrub",
    tag = "care",
    request_body = ScrubRequest,
    responses((status = 202, description = "Done", body = Scrub), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn start_scrub(
    State(api): State<Api>,
    body: Result<Json<ScrubRequest>, JsonRejection>,
) -> Result<(StatusCode, Json<Scrub>), ApiError> {
    let rate = parsed(body)?.rate.filter(|rate| *rate > 0);
    let failed = |error| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, format!("cannot start ({error})"));
    let started = api.scrub.start(&api.host, api.drive()?, rate).map_err(failed)?;
    Ok((StatusCode::ACCEPTED, Json(started)))
}

#[utoipa::path(delete,
    path = "/scrub",
    tag = "care",
    responses((status = 200, description = "Done", body = Scrub), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn stop_scrub(State(api): State<Api>) -> Json<Scrub> {
    api.scrub.stop();
    Json(api.scrub.state())
}

#[utoipa::path(get,
    path = "/doctor",
    tag = "care",
    responses((status = 200, description = "Done", body = Vec<Finding>), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn doctor(State(api): State<Api>) -> Answer<Vec<Finding>> {
    api.run(|api| {
        let mut findings = api.host.examine();
        let began = Instant::now();
        let Some(drive) = api.host.drive() else { return Ok(findings) };
        let told = drive.doctor(&mut |at| {
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
