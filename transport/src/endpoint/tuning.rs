//! QUIC as it was measured to be fast here, and as small as possible for strangers.

use std::sync::Arc;
use std::time::Duration;

use quinn::{AckFrequencyConfig, IdleTimeout, TransportConfig, VarInt};

use crate::lane::LANES;

/// What may be on its way on one lane: 8 MiB are 80 MB/s at 100 ms.
const LANE_WINDOW_BYTES: u32 = 8 << 20;
/// On all lanes together, so that one full lane never blocks another.
const LINK_WINDOW_BYTES: u32 = 32 << 20;
/// What somebody who is not admitted yet, or only pairs, can make this device hold.
const STRANGER_WINDOW_BYTES: u32 = 64 << 10;
const KEEP_ALIVE: Duration = Duration::from_secs(7);
const SILENCE_MAX_MS: u32 = 20_000;
/// Packets that may come before an acknowledgement is due; fewer acknowledgements are less work for both.
const ACK_EVERY_PACKETS: u32 = 20;

fn common() -> TransportConfig {
    let mut config = TransportConfig::default();
    let mut acks = AckFrequencyConfig::default();
    acks.ack_eliciting_threshold(VarInt::from_u32(ACK_EVERY_PACKETS));
    config
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(LANE_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(STRANGER_WINDOW_BYTES))
        .send_window(u64::from(LINK_WINDOW_BYTES))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(SILENCE_MAX_MS))))
        .ack_frequency_config(Some(acks))
        .allow_spin(false);
    config
}

/// For whoever calls: no stream may be opened until [`admit_member`] or [`admit_pairing`].
pub(super) fn for_callers() -> Arc<TransportConfig> {
    Arc::new(common())
}

/// For a member that is called: its key is pinned, so it is admitted with the first packet.
pub(super) fn for_pinned() -> Arc<TransportConfig> {
    let mut config = common();
    config.max_concurrent_uni_streams(lanes()).receive_window(VarInt::from_u32(LINK_WINDOW_BYTES));
    Arc::new(config)
}

/// For somebody unknown who is called to pair: it may answer on the stream it is given and open none.
pub(super) fn for_pairing() -> Arc<TransportConfig> {
    Arc::new(common())
}

pub(super) fn admit_member(connection: &quinn::Connection) {
    connection.set_receive_window(VarInt::from_u32(LINK_WINDOW_BYTES));
    connection.set_max_concurrent_uni_streams(lanes());
}

pub(super) fn admit_pairing(connection: &quinn::Connection) {
    connection.set_max_concurrent_bi_streams(VarInt::from_u32(1));
}

fn lanes() -> VarInt {
    VarInt::from_u32(u32::try_from(LANES.len()).expect("there are four lanes"))
}
