//! A frame from a member, and a device's facts: any bytes.
#![no_main]

use fuzz::seeds;
use libfuzzer_sys::fuzz_target;
use swarm::{SignedFacts, decode_message_for_fuzzing};

fuzz_target!(
    init: {
        // One of each kind of message with nothing in it, and the head of facts.
        let numbered = (0..25).map(|number| [&[1, number][..], &[0; 100]].concat());
        seeds::plant(numbered.chain([b"PDfc\x01".to_vec()]));
    },
    |frame: &[u8]| {
        decode_message_for_fuzzing(frame);
        if let Ok(facts) = SignedFacts::decode(frame) {
            assert_eq!(facts.as_bytes(), frame);
        }
    }
);
