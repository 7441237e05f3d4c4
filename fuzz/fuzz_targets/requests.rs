//! What the API reads itself: queries, ranges, headers of uploads, the notes of partial files, the file of the tokens.
#![no_main]

use fuzz::seeds;
use libfuzzer_sys::fuzz_target;
use ui::api::read_request_for_fuzzing;

fuzz_target!(
    init: {
        let tokens = format!(
            "{{\"format\":\"peerdrive tokens\",\"version\":1,\"tokens\":[{{\"id\":7,\"name\":\"b\",\"scope\":\"write\",\"workspace\":\"W\",\"created\":\"\",\"hash\":\"{}\"}}]}}",
            "a7".repeat(32)
        );
        let texts = [
            "path=/a%20b&limit=5&a=x+y",
            "bytes=0-99",
            "bytes=-5",
            "filename d29ybGQucG5n,filetype aW1hZ2UvcG5n",
            "sha1 nUvbfjSPcx6T1RsVkTxGx/UnG+A=",
            "{\"tag\":\"0f\",\"length\":10,\"path\":\"a\",\"unchecked_from\":4}",
            &tokens,
        ];
        seeds::plant(texts.map(|text| text.as_bytes().to_vec()));
    },
    |data: &[u8]| {
        read_request_for_fuzzing(data);
    }
);
