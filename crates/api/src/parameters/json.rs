//! JSON into [`Value`]s: numbers and booleans as the texts they would be in a form, strings borrowed
//! from the body where they are written without escapes.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Entries, Malformed, Value, WHOLE_MAX, shown};

/// A body that is a JSON object.
pub fn json(body: &[u8]) -> Result<Entries<'_>, Malformed> {
    let value: Value<'_> = serde_json::from_slice(body).map_err(|e| Malformed::Json(e.to_string()))?;
    match value {
        Value::Object(entries) => {
            match entries.iter().find(|(name, value)| name.contains('\0') || has_nul(value)) {
                Some((name, _)) => Err(Malformed::Nul(shown(name))),
                None => Ok(entries),
            }
        }
        Value::Null => Ok(Vec::new()),
        Value::Text(_) | Value::List(_) => Err(Malformed::NotAnObject),
    }
}

fn has_nul(value: &Value<'_>) -> bool {
    match value {
        Value::Text(text) => text.contains('\0'),
        Value::List(list) => list.iter().any(has_nul),
        Value::Object(named) => named.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null => false,
    }
}

/// A text that is a JSON array itself.
pub fn json_text(text: &str) -> Option<Value<'_>> {
    serde_json::from_str(text).ok().filter(|value| matches!(value, Value::List(_)) && !has_nul(value))
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value<'de>, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Value<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_unit<E>(self) -> Result<Value<'de>, E> {
                Ok(Value::Null)
            }

            fn visit_bool<E>(self, yes: bool) -> Result<Value<'de>, E> {
                Ok(Value::Text(Cow::Borrowed(if yes { "true" } else { "false" })))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Value<'de>, E> {
                Ok(Value::Text(Cow::Owned(number.to_string())))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Value<'de>, E> {
                Ok(Value::Text(Cow::Owned(number.to_string())))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Value<'de>, E> {
                let is_whole = number.fract() == 0.0 && number.abs() <= WHOLE_MAX;
                let text = if is_whole { (number as i64).to_string() } else { format!("{number:e}") };
                // Small fractions read better without an exponent, and amounts are read from it.
                let plain = number.abs() >= 1e-7 && number.abs() < 1e16;
                Ok(Value::Text(Cow::Owned(if plain && !is_whole { number.to_string() } else { text })))
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
                Ok(Value::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
                Ok(Value::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_string<E>(self, text: String) -> Result<Value<'de>, E> {
                Ok(Value::Text(Cow::Owned(text)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<Value<'de>, A::Error> {
                let mut list = Vec::new();
                while let Some(member) = members.next_element()? {
                    list.push(member);
                }
                Ok(Value::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value<'de>, A::Error> {
                let mut named = Vec::new();
                while let Some(Name(name)) = members.next_key()? {
                    named.push((name, members.next_value()?));
                }
                Ok(Value::Object(named))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

/// A member's name, borrowed where it is written without escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name<'de>, D::Error> {
        struct Letters;

        impl<'de> Visitor<'de> for Letters {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Letters)
    }
}
