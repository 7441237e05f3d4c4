//! Sizes, rates and times in settings and commands, and the file of the API's token.
#![no_main]

use fuzz::seeds;
use libfuzzer_sys::fuzz_target;
use ui::api::ApiToken;
use ui::units::{ByteRate, ByteSize, Span};

fuzz_target!(
    init: seeds::plant(["10G", "1.5 GiB", "5M/s", "off", "24h", "1h30m", "0"].map(|text| text.as_bytes().to_vec())),
    |data: &[u8]| {
        let _ = ApiToken::parse(data);
        let Ok(text) = std::str::from_utf8(data) else { return };
        if let Ok(size) = text.parse::<ByteSize>() {
            assert_eq!(size.to_string().parse(), Ok(size));
        }
        if let Ok(rate) = text.parse::<ByteRate>() {
            assert_eq!(rate.to_string().parse(), Ok(rate));
        }
        if let Ok(span) = text.parse::<Span>() {
            assert_eq!(span.to_string().parse(), Ok(span));
        }
    }
);
