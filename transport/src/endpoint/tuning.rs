//! QUIC as it was measured to be fast here, and as small as possible for strangers.

use std::sync::Arc;
use std::time::Duration;

use quinn::{AckFrequencyConfig, IdleTimeout, TransportConfig, VarInt};

use crate::lane::LANES;
use crate::relay::RELAYED_PACKET_MAX_BYTES;

/// What may be on its way on one lane: 8 MiB are 80 MB/s at 100 ms.
const LANE_WINDOW_BYTES: u32 = 8 << 20;
/// On all lanes together, so that one full lane never blocks another.
const LINK_WINDOW_BYTES: u32 = 32 << 20;
/// What somebody who is not admitted yet, or only pairs, can make this device hold.
const STRANGER_WINDOW_BYTES: u32 = 64 << 10;
/// Relayed packets that wait to be taken from a link: a hundred. A stranger that is about to be turned away can fill it
/// too, for TLS names him only after QUIC has said what it takes.
const DATAGRAMS_IN_MAX_BYTES: usize = 128 << 10;
/// Relayed packets that wait to go out on a link.
const DATAGRAMS_OUT_MAX_BYTES: usize = 256 << 10;
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
        .datagram_send_buffer_size(DATAGRAMS_OUT_MAX_BYTES)
        .stream_receive_window(VarInt::from_u32(LANE_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(STRANGER_WINDOW_BYTES))
        .send_window(u64::from(LINK_WINDOW_BYTES))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(SILENCE_MAX_MS))))
        .ack_frequency_config(Some(acks))
        .allow_spin(false);
    config
}

/// For whoever calls: no stream may be opened until [`admit_member`] or [`admit_pairing`], and no datagram is read.
pub(super) fn for_callers() -> Arc<TransportConfig> {
    let mut config = common();
    config.datagram_receive_buffer_size(Some(DATAGRAMS_IN_MAX_BYTES));
    Arc::new(config)
}

/// For a member that is called: its key is pinned, so it is admitted with the first packet.
pub(super) fn for_pinned() -> Arc<TransportConfig> {
    let mut config = pinned();
    config.datagram_receive_buffer_size(Some(DATAGRAMS_IN_MAX_BYTES));
    Arc::new(config)
}

/// The same through a relay.
pub(super) fn for_relayed() -> Arc<TransportConfig> {
    Arc::new(narrowed(pinned()))
}

/// For whoever calls through a relay.
pub(super) fn for_relayed_callers() -> Arc<TransportConfig> {
    Arc::new(narrowed(common()))
}

fn pinned() -> TransportConfig {
    let mut config = common();
    config.max_concurrent_uni_streams(lanes()).receive_window(VarInt::from_u32(LINK_WINDOW_BYTES));
    config
}

/// Packets that fit into datagrams of another connection, and no datagrams inside: nothing is relayed twice.
fn narrowed(mut config: TransportConfig) -> TransportConfig {
    config.initial_mtu(RELAYED_PACKET_MAX_BYTES).min_mtu(RELAYED_PACKET_MAX_BYTES).mtu_discovery_config(None);
    config
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
