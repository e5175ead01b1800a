//! The words of a request: query string, form and JSON body, read into one set of parameters. Nothing
//! panics, a whole number is read as it was written, and a list never holds nothing.

#![no_main]

use api::parameters::Parameters;
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 6] = ["to", "text", "delay", "flash", "a", ""];

fuzz_target!(|input: (Option<&str>, Option<&str>, &[u8])| {
    let (query, content_type, body) = input;
    let Ok(parameters) = Parameters::read(query, content_type, body) else { return };
    for name in NAMES {
        let given = parameters.given(name);
        assert!(given || parameters.text(name).is_none());
        assert!(parameters.list(name).iter().all(|one| !one.is_empty()));
        // A whole number that is written again is the same.
        if let Ok(Some(whole)) = parameters.whole(name) {
            let again = format!("n={whole}");
            let again = Parameters::read(Some(&again), None, b"").expect("a number can be read");
            assert_eq!(again.whole("n"), Ok(Some(whole)));
        }
        let _ = (parameters.flag(name), parameters.amount(name), parameters.verbatim(name));
    }
});
