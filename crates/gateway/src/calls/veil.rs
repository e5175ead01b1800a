//! What of a call is not kept, or not shown to everybody: secrets, and to roles that may not read
//! messages their texts and numbers.
//!
//! What is kept may be cut anywhere, and need not be what it says it is, so nothing is parsed here:
//! names are looked for as JSON and forms write them, and their values are covered to where they end.

use storage::calls::Call;

use super::BYTES_MAX;

/// What stands in place of what is covered.
const VEIL: &str = "***";
/// Members and parameters that hold secrets.
const SECRETS: [&str; 12] = [
    "p",
    "password",
    "passwd",
    "secret",
    "signing_key",
    "signingkey",
    "api_key",
    "apikey",
    "x-api-key",
    "token",
    "authorization",
    "credential",
];
/// Members and parameters that hold what was said, and to whom.
const MESSAGES: [&str; 12] = [
    "text",
    "to",
    "recipient",
    "recipients",
    "number",
    "numbers",
    "phone",
    "msisdn",
    "content",
    "udh",
    "message",
    "body",
];
/// Begins every secret of a key.
const KEYS: [&str; 2] = ["bl_live_", "bl_test_"];
/// Characters of a key that may be shown, as elsewhere.
const KEY_SHOWN: usize = 12;
/// So many digits in a row may be a number.
const DIGITS: usize = 6;

/// The first [`BYTES_MAX`] bytes as text, without breaking a character.
pub fn cut(octets: &[u8]) -> String {
    if octets.len() <= BYTES_MAX {
        return String::from_utf8_lossy(octets).replace('\0', "\u{fffd}");
    }
    let mut end = BYTES_MAX - '…'.len_utf8();
    while end > 0 && octets.get(end).is_some_and(|octet| octet & 0xc0 == 0x80) {
        end -= 1;
    }
    let mut text = String::from_utf8_lossy(&octets[..end]).replace('\0', "\u{fffd}");
    text.push('…');
    text
}

/// A request or an answer without the secrets in it: parameters and members that are called like one,
/// and whatever looks like an API key.
pub fn without_secrets(text: &str) -> String {
    let text = covered(text, &SECRETS);
    if !KEYS.iter().any(|begin| text.contains(begin)) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = KEYS.iter().filter_map(|begin| rest.find(begin)).min() {
        let (before, key) = rest.split_at(at);
        let end = key.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(key.len());
        out.push_str(before);
        match end <= KEY_SHOWN {
            true => out.push_str(&key[..end]),
            false => {
                out.push_str(&key[..KEY_SHOWN]);
                out.push_str(VEIL);
            }
        }
        rest = &key[end..];
    }
    out.push_str(rest);
    out
}

/// The call for somebody who may not read messages: texts and numbers are covered.
pub fn masked(call: &Call) -> Call {
    let answer = match call.answer.trim_start().as_bytes().first() {
        Some(b'{' | b'[') => covered(&call.answer, &MESSAGES),
        // A code, or ids line by line.
        _ if call.answer.len() <= 64 && !call.path.contains("journal") => without_numbers(&call.answer),
        _ => VEIL.to_owned(),
    };
    Call {
        request: covered(&call.request, &MESSAGES),
        answer,
        error: without_numbers(&call.error),
        ..call.clone()
    }
}

/// A sentence without what may be a number: of more than [`DIGITS`] digits the last are covered.
fn without_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut digits = 0;
    for c in text.chars() {
        digits = if c.is_ascii_digit() { digits + 1 } else { 0 };
        out.push(if digits > DIGITS { '*' } else { c });
    }
    out
}

/// The text with the values of these names covered: JSON, or lines of a form, or a line of a form and
/// then JSON.
fn covered(text: &str, names: &[&str]) -> String {
    if text.trim_start().starts_with(['{', '[']) {
        return in_json(text, names);
    }
    match text.split_once('\n') {
        Some((form, rest)) => format!("{}\n{}", in_form(form, names), covered(rest, names)),
        None => in_form(text, names),
    }
}

fn in_form(line: &str, names: &[&str]) -> String {
    let pair = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if is_one_of(&decoded(name), names) => format!("{name}={VEIL}"),
        _ => pair.to_owned(),
    };
    line.split('&').map(pair).collect::<Vec<_>>().join("&")
}

/// The name without what makes it a list (`to[]`, `to[0]`), and as if it were not encoded.
fn decoded(name: &str) -> String {
    let mut octets = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
        match (first, after.get(..2).and_then(hex)) {
            (b'%', Some(octet)) => {
                octets.push(octet);
                rest = &after[2..];
            }
            _ => {
                octets.push(*first);
                rest = after;
            }
        }
    }
    let name = String::from_utf8_lossy(&octets);
    name.split('[').next().unwrap_or_default().trim().to_owned()
}

fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|one| name.eq_ignore_ascii_case(one))
}

fn in_json(text: &str, names: &[&str]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('"') {
        let (before, string) = rest.split_at(at);
        let end = end_of_string(string);
        let (string, after) = string.split_at(end);
        out.push_str(before);
        out.push_str(string);
        rest = after;
        let name = string.trim_matches('"');
        let value = after.trim_start();
        if let Some(value) = value.strip_prefix(':')
            && is_one_of(name, names)
        {
            out.push_str(":\"");
            out.push_str(VEIL);
            out.push('"');
            let value = value.trim_start();
            rest = &value[end_of_value(value)..];
        }
    }
    out.push_str(rest);
    out
}

/// Where a string that begins with a quote ends: behind the one that closes it, or with the text.
fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn end_of_value(text: &str) -> usize {
    match text.as_bytes().first() {
        Some(b'"') => end_of_string(text),
        Some(b'[' | b'{') => {
            let (mut depth, mut at) = (0_usize, 0);
            while let Some(c) = text[at..].chars().next() {
                match c {
                    '"' => {
                        at += end_of_string(&text[at..]);
                        continue;
                    }
                    '[' | '{' => depth += 1,
                    ']' | '}' => depth -= 1,
                    _ => {}
                }
                at += c.len_utf8();
                if depth == 0 {
                    return at;
                }
            }
            text.len()
        }
        _ => text.find([',', '}', ']']).unwrap_or(text.len()),
    }
}

#[cfg(test)]
mod tests {
    use domain::id::AccountId;
    use domain::moment::Moment;

    use super::*;

    #[test]
    fn secrets_are_in_no_log() {
        let key = format!("bl_live_{}", "x".repeat(56));
        let shown = "bl_live_xxxx***";
        #[rustfmt::skip]
        let cases = [
            (format!("to=49151&p={key}&text=hi"),          "to=49151&p=***&text=hi".to_owned()),
            ("P=abc&%70=abc&ap=x".to_owned(),              "P=***&%70=***&ap=x".to_owned()),
            (r#"{"p": "a\"b", "to":"1"}"#.to_owned(),      r#"{"p":"***", "to":"1"}"#.to_owned()),
            (r#"{"password":["a","b"],"x":1}"#.to_owned(), r#"{"password":"***","x":1}"#.to_owned()),
            (r#"{"p":"cut of"#.to_owned(),                 r#"{"p":"***""#.to_owned()),
            (format!(r#"{{"id":1,"key":"{key}"}}"#),       format!(r#"{{"id":1,"key":"{shown}"}}"#)),
            ("text=\"a\"&p=abc\nu=1&p=abc".to_owned(),    "text=\"a\"&p=***\nu=1&p=***".to_owned()),
            ("a=1\n{\"p\":[\n\"a\",\n\"b\"]}".to_owned(),  "a=1\n{\"p\":\"***\"}".to_owned()),
            (format!("{key}{key}"),                        shown.to_owned()),
            (format!("label=bl_live_shop&x={key}"),        format!("label=bl_live_shop&x={shown}")),
        ];
        for (text, expected) in cases {
            assert_eq!(without_secrets(&text), expected, "{text}");
        }
    }

    fn call(request: &str, answer: &str, error: &str) -> Call {
        Call {
            id: 1,
            account: AccountId(1),
            key: None,
            method: "POST".into(),
            path: "/api/sms".into(),
            status: 200,
            code: "100".into(),
            milliseconds: 1,
            request: request.into(),
            answer: answer.into(),
            error: error.into(),
            address: String::new(),
            at: Moment(0),
        }
    }

    #[test]
    fn who_may_not_read_messages_sees_no_text_and_no_number() {
        let masked = masked(&call(
            "to=49151234567&text=canary&to%5B%5D=49151234567&label=x\n{\"to\":[\"49151234567\",{\"a\":\"]\"}],\"text\":\"canary\",\"from\":\"me\"}",
            r#"{"success":"100","messages":[{"id":"77","recipient":"49151234567","text":"canary","price":0.07}]}"#,
            "'+49151234567' is not a number",
        ));
        assert_eq!(
            masked.request,
            "to=***&text=***&to%5B%5D=***&label=x\n{\"to\":\"***\",\"text\":\"***\",\"from\":\"me\"}"
        );
        assert_eq!(
            masked.answer,
            r#"{"success":"100","messages":[{"id":"77","recipient":"***","text":"***","price":0.07}]}"#
        );
        assert_eq!(masked.error, "'+491512*****' is not a number");
    }

    #[test]
    fn what_is_cut_is_cut_between_characters() {
        let long = "ü".repeat(BYTES_MAX);
        let text = cut(long.as_bytes());
        assert!(text.len() <= BYTES_MAX && text.ends_with('…') && !text.contains('\u{fffd}'));
        assert_eq!(cut(b"short"), "short");
        assert_eq!(cut(&[0xff, b'a']), "\u{fffd}a");
    }

    #[test]
    fn anything_at_all_can_be_covered() {
        for text in [
            "",
            "\"",
            "{\"p\":",
            "{\"p\":[",
            "{\"p\":\"\\",
            "p",
            "p=",
            "=&=",
            "\"p\":}",
            "{\"to\":{\"ü\":\"ü",
        ] {
            let _ = without_secrets(text);
            let _ = masked(&call(text, text, text));
        }
    }
}
