//! Query strings and urlencoded forms, with the brackets that PHP and Go put into names.

use std::borrow::Cow;

use super::{Entries, Malformed, Value, shown};

/// Children a nested form parameter (`files[0][name]`) may have at one level.
const NESTED_MAX: usize = 256;
/// Brackets one name may carry.
const DEPTH_MAX: usize = 8;

/// `a=1&b[]=2&c[0][d]=3`.
pub fn form(text: &[u8]) -> Result<Entries<'_>, Malformed> {
    let mut entries = Entries::new();
    for pair in text.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
        let (name, value) = match pair.iter().position(|b| *b == b'=') {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &pair[pair.len()..]),
        };
        let (name, value) = (decoded(name), decoded(value));
        if name.contains('\0') || value.contains('\0') {
            return Err(Malformed::Nul(shown(&name)));
        }
        match name.find('[').filter(|at| *at > 0 && name.ends_with(']')) {
            None => entries.push((name, Value::Text(value))),
            Some(at) => nested(&mut entries, &name, at, value)?,
        }
    }
    Ok(entries)
}

/// Puts `files[0][name]=...` into its place. Flat lists (`k[]`, `k[0]`) just grow.
fn nested<'a>(
    entries: &mut Entries<'a>,
    name: &str,
    at: usize,
    value: Cow<'a, str>,
) -> Result<(), Malformed> {
    let (base, rest) = name.split_at(at);
    let keys: Vec<&str> = rest[1..rest.len() - 1].split("][").collect();
    let too_much = || Malformed::Nested(shown(name));
    if keys.len() > DEPTH_MAX {
        return Err(too_much());
    }
    if let [key] = keys[..]
        && key.bytes().all(|b| b.is_ascii_digit())
    {
        match entries.last_mut() {
            Some((last, Value::List(list))) if last == base => list.push(Value::Text(value)),
            _ => entries.push((Cow::Owned(base.to_owned()), Value::List(vec![Value::Text(value)]))),
        }
        return Ok(());
    }
    let found = entries.iter().position(|(n, v)| n == base && matches!(v, Value::Object(_)));
    let index = found.unwrap_or_else(|| {
        entries.push((Cow::Owned(base.to_owned()), Value::Object(Vec::new())));
        entries.len() - 1
    });
    let Some((_, mut place)) = entries.get_mut(index).map(|(n, v)| (n, v)) else { return Ok(()) };
    for key in keys {
        if !matches!(place, Value::Object(_)) {
            *place = Value::Object(Vec::new());
        }
        let Value::Object(children) = place else { return Ok(()) };
        let known = if key.is_empty() { None } else { children.iter().position(|(k, _)| k == key) };
        let child = match known {
            Some(child) => child,
            None if children.len() >= NESTED_MAX => return Err(too_much()),
            None => {
                children.push((Cow::Owned(key.to_owned()), Value::Null));
                children.len() - 1
            }
        };
        place = &mut children[child].1;
    }
    *place = Value::Text(value);
    Ok(())
}

/// Percent signs and pluses undone. What is not UTF-8 then is taken for Latin-1, which old
/// integrations send.
fn decoded(text: &[u8]) -> Cow<'_, str> {
    if !text.iter().any(|b| matches!(b, b'%' | b'+')) {
        return in_letters(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        let octet = match (byte, rest.as_slice()) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        match octet {
            Some(octet) => {
                out.push(octet);
                rest.nth(1);
            }
            None => out.push(if *byte == b'+' { b' ' } else { *byte }),
        }
    }
    in_letters(Cow::Owned(out))
}

fn in_letters(octets: Cow<'_, [u8]>) -> Cow<'_, str> {
    let latin = |octets: &[u8]| octets.iter().map(|b| char::from(*b)).collect::<String>();
    match octets {
        Cow::Borrowed(octets) => {
            str::from_utf8(octets).map_or_else(|_| Cow::Owned(latin(octets)), Cow::Borrowed)
        }
        Cow::Owned(octets) => {
            Cow::Owned(String::from_utf8(octets).unwrap_or_else(|wrong| latin(wrong.as_bytes())))
        }
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
