//! Texts and binary messages with headers of their own: what is cut into segments fits, is as many as
//! was said, and joins to what it was.

#![no_main]

use domain::text::{Content, SEGMENT_OCTETS, Alphabet, from_gsm7, from_ucs2};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, Option<&str>, bool, bool, u8)| {
    let (text, udh, binary, ucs2, reference) = input;
    let Ok(content) = Content::from_request(text, udh, binary, ucs2) else { return };
    let parts = content.parts(reference, false);
    assert_eq!(parts.len(), usize::from(content.segments()));
    let mut joined = String::new();
    for part in &parts {
        let octets = match content.alphabet() {
            Alphabet::Gsm7 => (part.octets.len() * 7).div_ceil(8),
            _ => part.octets.len(),
        };
        assert!(part.udh.len() + octets <= SEGMENT_OCTETS + 1, "{} and {octets}", part.udh.len());
        match content.alphabet() {
            Alphabet::Gsm7 => joined.push_str(&from_gsm7(&part.octets)),
            Alphabet::Ucs2 => joined.push_str(&from_ucs2(&part.octets)),
            Alphabet::Binary => {}
        }
    }
    if let Content::Text { text, .. } = &content {
        assert_eq!(&joined, text);
    }
});
