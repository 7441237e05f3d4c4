//! A frame from a member, a device's facts, a judgement, a record of it: any bytes.
#![no_main]

use fuzz::seeds;
use libfuzzer_sys::fuzz_target;
use swarm::{ProofRecord, SignedFacts, SignedJudgement, decode_message_for_fuzzing};

fuzz_target!(
    init: {
        // One of each kind of message with nothing in it, and the head of facts.
        let numbered = (0..31).map(|number| [&[1, number][..], &[0; 100]].concat());
        seeds::plant(numbered.chain([b"PDfc\x01".to_vec(), b"PDju\x01".to_vec(), [&[1][..], &[0; 12]].concat()]));
    },
    |frame: &[u8]| {
        decode_message_for_fuzzing(frame);
        if let Ok(facts) = SignedFacts::decode(frame) {
            assert_eq!(facts.as_bytes(), frame);
        }
        if let Some(judgement) = SignedJudgement::decode(frame) {
            assert_eq!(judgement.as_bytes(), frame);
        }
        if let Some((record, length)) = ProofRecord::decode_first(frame) {
            assert_eq!(record.encode(), frame[..length]);
        }
    }
);
