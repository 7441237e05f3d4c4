//! What the panel asks beside files: room, events, QR codes; and what other programs watch a daemon by.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::header;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use qrcodegen::{QrCode as Drawn, QrCodeEcc};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Interval, MissedTickBehavior};

use super::parsed;
use super::status::status_of;
use crate::answers::{
    Device, DeviceShare, Distribution, Owned, Peer, Problem, QrCode, QrRequest, Status, Storage, TreeChanged,
    Written, WrittenBy,
};
use crate::api::problem::ApiError;
use crate::api::work::{Answer, Api};

/// Between two looks at what happened, while a page is open.
const LOOK: Duration = Duration::from_millis(50);
/// Looks at the tree for one at the whole status.
const LOOKS_PER_STATUS: u32 = 20;
/// What went over a link is told to pages in steps of so many bytes.
const TOLD_BYTES: u64 = 64 << 10;
/// Round trips of so long and more are told to pages in steps of as much, shorter ones in whole milliseconds.
const TOLD_RTT_MS: f64 = 10.0;
/// How long all files may be looked at to tell who wrote them.
const WRITTEN_PATIENCE: Duration = Duration::from_secs(3);
/// Partitions that are told together, as [`Owned`] has them.
const GROUP_PARTITIONS: u16 = 64;
/// Longest text of a QR code; a ticket is shorter. Bytes.
const MAX_QR_BYTES: usize = 1000;

#[utoipa::path(get,
    path = "/storage",
    tag = "storage",
    responses((status = 200, description = "Done", body = Storage), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn storage(State(api): State<Api>) -> Answer<Storage> {
    api.run(|api| {
        let (given, room, stored) = (api.host.contribution(), api.host.room(), api.host.stored());
        let can_store = match api.host.drive() {
            Some(drive) => drive.status()?.can_store_bytes,
            None => given.contributed.saturating_sub(given.used),
        };
        Ok(Storage {
            contributed: given.contributed,
            reserve: given.reserve,
            used: given.used,
            can_store,
            disk_bytes: room.map(|room| room.disk_bytes),
            disk_free_bytes: room.map(|room| room.free_bytes),
            target: api.host.group().policy().copies,
            chunks: stored.chunks,
            live_bytes: stored.live_bytes,
            cached_bytes: stored.cached_bytes,
            saved_bytes: stored.saved_bytes,
            compressed_away_bytes: stored.compressed_away_bytes,
        })
    })
    .await
}

#[utoipa::path(get,
    path = "/storage/distribution",
    tag = "storage",
    responses((status = 200, description = "Done", body = Distribution), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn distribution(State(api): State<Api>) -> Answer<Distribution> {
    api.run(|api| {
        let (group, chunks) = (api.host.group(), api.host.chunks_by_partition()?);
        let mut owned: BTreeMap<String, Owned> =
            group.owned().into_iter().map(|of| (of.device.clone(), of)).collect();
        let used_here = api.host.contribution().used;
        let share = |device: Device| {
            let of = owned.remove(&device.device);
            DeviceShare {
                owned: of.as_ref().map_or(0, |of| of.partitions),
                owned_by_group: of.filter(|of| of.partitions > 0).map(|of| of.groups).unwrap_or_default(),
                // What others know of this one is a little older than what it knows itself.
                used: if device.this { used_here } else { device.used },
                contributed: device.contributed,
                this: device.this,
                name: device.name,
                device: device.device,
            }
        };
        Ok(Distribution {
            partitions: u16::try_from(chunks.len()).unwrap_or(u16::MAX),
            group_partitions: GROUP_PARTITIONS,
            copies: group.policy().copies,
            chunks_here: chunks.chunks(usize::from(GROUP_PARTITIONS)).map(|some| some.iter().sum()).collect(),
            devices: group.devices().into_iter().map(share).collect(),
        })
    })
    .await
}

/// Looks at every file, for a few seconds at most.
#[utoipa::path(get,
    path = "/storage/written",
    tag = "storage",
    responses((status = 200, description = "Done", body = Written), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn written(State(api): State<Api>) -> Answer<Written> {
    api.run(|api| {
        let told = api.drive()?.written(WRITTEN_PATIENCE)?;
        let by = |device: vfs::WrittenByDevice| WrittenBy {
            user: device.user,
            user_name: device.user_name,
            device: device.device,
            files: device.files,
            bytes: device.bytes,
        };
        Ok(Written { devices: told.devices.into_iter().map(by).collect(), complete: told.complete })
    })
    .await
}

#[utoipa::path(post,
    path = "/qr",
    tag = "devices",
    request_body = QrRequest,
    responses((status = 200, description = "Done", body = QrCode), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn qr(
    body: Result<Json<QrRequest>, JsonRejection>,
) -> Result<Json<QrCode>, ApiError> {
    let asked = parsed(body)?;
    if asked.text.len() > MAX_QR_BYTES {
        return Err(ApiError::bad(format!("a QR code holds at most {MAX_QR_BYTES} bytes here")));
    }
    let drawn = Drawn::encode_text(&asked.text, QrCodeEcc::Medium)
        .map_err(|error| ApiError::bad(format!("this makes no QR code ({error:?})")))?;
    let row = |y| (0..drawn.size()).map(|x| if drawn.get_module(x, y) { '1' } else { '0' }).collect();
    Ok(Json(QrCode { rows: (0..drawn.size()).map(row).collect() }))
}

/// Says that this answers, and nothing else: it is asked without a token.
pub(in crate::api) async fn healthz() -> &'static str {
    "ok\n"
}

/// Server-sent events: `tree` when a name or a file changed, `status` when the numbers did. Nothing runs while nobody listens.
#[utoipa::path(get,
    path = "/events",
    tag = "drive",
    responses((status = 200, description = "Server-sent events: `tree`, whose data is a TreeChanged, and `status`, whose data is a Status", body = String, content_type = "text/event-stream"), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn events(State(api): State<Api>) -> Result<Response, ApiError> {
    let busy = || ApiError::busy("too many pages listen already: close one");
    let permit = std::sync::Arc::clone(&api.listeners).try_acquire_owned().map_err(|_| busy())?;
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let watch = Watch { api, ticks, looks: 0, clock: None, told: None, _permit: permit };
    let stream = stream::unfold(watch, |mut watch| async {
        let event = watch.next().await?;
        Some((Ok::<_, Infallible>(event), watch))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()).into_response())
}

/// One page that listens.
struct Watch {
    api: Api,
    ticks: Interval,
    looks: u32,
    clock: Option<u64>,
    told: Option<String>,
    _permit: OwnedSemaphorePermit,
}

impl Watch {
    /// None when the daemon ends.
    async fn next(&mut self) -> Option<Event> {
        loop {
            tokio::select! {
                _ = self.ticks.tick() => {}
                _ = self.api.stop.wait_for(|stop| *stop) => return None,
            }
            let clock = self.api.host.drive().map(|drive| drive.edit_clock());
            if clock != self.clock {
                self.clock = clock;
                return Event::default()
                    .event("tree")
                    .json_data(TreeChanged { clock: clock.unwrap_or(0) })
                    .ok();
            }
            self.looks = (self.looks + 1) % LOOKS_PER_STATUS;
            if self.looks == 1
                && let Some(event) = self.status().await
            {
                return Some(event);
            }
        }
    }

    /// The status, if it is another one than before.
    async fn status(&mut self) -> Option<Event> {
        let Json(mut status) = self.api.run(status_of).await.ok()?;
        // These change with every look.
        status.rss_bytes = None;
        status.peers.iter_mut().for_each(coarsen);
        let text = serde_json::to_string(&status).ok()?;
        if self.told.as_ref() == Some(&text) {
            return None;
        }
        self.told = Some(text.clone());
        Some(Event::default().event("status").data(text))
    }
}

/// What the links say to each other at rest is no news, and neither is a round trip that took a little longer.
fn coarsen(peer: &mut Peer) {
    peer.sent_bytes -= peer.sent_bytes % TOLD_BYTES;
    peer.received_bytes -= peer.received_bytes % TOLD_BYTES;
    peer.rtt_ms = peer
        .rtt_ms
        .map(|ms| if ms < TOLD_RTT_MS { ms.ceil() } else { (ms / TOLD_RTT_MS).round() * TOLD_RTT_MS });
}

/// For Prometheus.
pub(in crate::api) async fn metrics(State(api): State<Api>) -> Result<Response, ApiError> {
    let Json(status) = api.run(status_of).await?;
    let told = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((told, measured(&status)).into_response())
}

fn measured(status: &Status) -> String {
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, value: u64| {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "# HELP peerdrive_{name} {help}\n# TYPE peerdrive_{name} gauge\npeerdrive_{name} {value}\n"
        );
    };
    if let Some(drive) = status.workspaces.first() {
        gauge("files", "Files in the drive.", drive.files);
        gauge("directories", "Folders in the drive.", drive.directories);
        gauge("file_bytes", "Bytes of all files.", drive.bytes);
        gauge("safe_files", "Files on enough computers.", drive.safe_files);
        gauge("pending_files", "Files whose last changes are being stored.", drive.pending_files);
        gauge("only_here_files", "Files on this computer alone.", drive.only_here_files);
        gauge("conflicts", "Files with versions that await a decision.", drive.conflicts);
    }
    gauge("contributed_bytes", "Bytes this computer gives at most.", status.contributed);
    gauge("used_bytes", "Bytes the drive takes on its disk.", status.used);
    gauge("can_store_bytes", "Bytes that can still be stored.", status.can_store);
    gauge("read_only", "1 after a disk failure.", u64::from(status.health != "ok"));
    gauge("peers", "Other devices of the drive.", status.peers.len() as u64);
    let online = status.peers.iter().filter(|peer| peer.state == "online").count();
    gauge("peers_online", "Other devices that are connected.", online as u64);
    gauge("resident_bytes", "Memory of the daemon.", status.rss_bytes.unwrap_or(0));
    text
}
