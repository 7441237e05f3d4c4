//! What a member says to a relay, or a relay to a member: any bytes.
#![no_main]

use fuzz::seeds;
use libfuzzer_sys::fuzz_target;
use transport::decode_relay_datagram_for_fuzzing;

fuzz_target!(
    init: {
        // One of each kind, with a packet and without.
        let kinds = (1..=3).map(|kind| [&[1, kind][..], &[7; 8]].concat());
        seeds::plant(kinds.clone().chain(kinds.map(|datagram| [&datagram[..], &[9; 20]].concat())));
    },
    |datagram: &[u8]| decode_relay_datagram_for_fuzzing(datagram)
);
