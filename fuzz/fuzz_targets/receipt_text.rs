//! The text of a delivery receipt, as any carrier may write it. What is read can be written and is
//! then read as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use smpp::receipt::Receipt;

fuzz_target!(|octets: &[u8]| {
    let read = Receipt::parse(octets);
    let again = Receipt::parse(read.write().as_bytes());
    // An id with blanks or colons in it is read from a parameter at best, never from a text.
    if read.id.as_ref().is_some_and(|id| id.bytes().all(|octet| octet.is_ascii_alphanumeric())) {
        assert_eq!(read.id, again.id);
        if read.state.is_some() {
            assert_eq!(read.state, again.state);
        }
    }
});
