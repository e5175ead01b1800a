//! The configuration as it is written: which keys there are, which come from where, and how a key
//! that does not exist or holds the wrong kind of value is explained.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::value::{SeqAccessDeserializer, StrDeserializer};
use serde::de::{DeserializeOwned, Deserializer, SeqAccess, Visitor};
use toml::Spanned;

/// Why the configuration cannot be used: where, which key, what is wrong with it, what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {message}")]
pub struct Problem {
    /// Where the value was given: `branchline.toml, line 12`, `BRANCHLINE_LISTEN`, `--listen`.
    pub origin: String,
    /// The key, as it is written.
    pub key: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// Where a value was read.
#[derive(Debug)]
pub(super) enum Source {
    /// A file, and all of its text.
    File { name: String, text: String },
    /// A variable of the environment or a flag of the command line.
    Word(String),
}

impl Source {
    fn line_of(text: &str, at: usize) -> usize {
        text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count() + 1
    }

    fn place(&self, span: Option<Range<usize>>) -> String {
        match (self, span) {
            (Source::File { name, text }, Some(span)) => {
                format!("{name}, line {}", Source::line_of(text, span.start))
            }
            (Source::File { name, .. }, None) => name.clone(),
            (Source::Word(word), _) => word.clone(),
        }
    }
}

/// A value and where it was given.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub value: T,
    key: String,
    source: Arc<Source>,
    span: Option<Range<usize>>,
}

impl<T> At<T> {
    /// A value that was not written in a document.
    pub fn word(key: &str, value: T, word: &str) -> At<T> {
        At { value, key: key.to_owned(), source: Arc::new(Source::Word(word.to_owned())), span: None }
    }

    fn of(key: &str, spanned: Spanned<T>, source: &Arc<Source>) -> At<T> {
        let span = Some(spanned.span());
        At { value: spanned.into_inner(), key: key.to_owned(), source: source.clone(), span }
    }

    /// The place alone.
    pub fn place(&self) -> At<()> {
        At { value: (), key: self.key.clone(), source: self.source.clone(), span: self.span.clone() }
    }

    /// What is wrong with the value.
    pub fn problem(&self, message: impl fmt::Display) -> Problem {
        let origin = self.source.place(self.span.clone());
        Problem { origin, key: self.key.clone(), message: format!("'{}': {message}", self.key) }
    }

    /// The value made into what it means.
    pub fn read<U, E: fmt::Display>(self, read: impl FnOnce(&T) -> Result<U, E>) -> Result<U, Problem> {
        read(&self.value).map_err(|why| self.problem(why))
    }
}

impl<T> At<Vec<Spanned<T>>> {
    /// The members of a list, each with its own place.
    pub fn each(self) -> Vec<At<T>> {
        self.value.into_iter().map(|spanned| At::of(&self.key, spanned, &self.source)).collect()
    }
}

/// The keys of one table: each optional, each with the place it was given at.
macro_rules! keys {
    ($(#[$doc:meta])* $given:ident, $written:ident { $($name:ident: $kind:ty,)* }) => {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $written {
            $($name: Option<Spanned<$kind>>,)*
        }

        $(#[$doc])*
        #[derive(Default)]
        pub(super) struct $given {
            $(pub $name: Option<At<$kind>>,)*
        }

        impl $given {
            /// Every key.
            #[allow(dead_code, reason = "not every table's keys are asked for")]
            pub const KEYS: &[&str] = &[$(stringify!($name)),*];

            /// The keys that were given, and where.
            #[allow(dead_code, reason = "not every table's places are asked for")]
            pub fn places(&self) -> Vec<(&'static str, At<()>)> {
                let all = [$((stringify!($name), self.$name.as_ref().map(At::place))),*];
                all.into_iter().filter_map(|(key, at)| Some((key, at?))).collect()
            }

            /// Takes over what a later source gives.
            pub fn overlay(&mut self, written: $written, source: &Arc<Source>) {
                $(if let Some(spanned) = written.$name {
                    self.$name = Some(At::of(stringify!($name), spanned, source));
                })*
            }
        }

        impl From<At<$written>> for $given {
            fn from(table: At<$written>) -> $given {
                let mut given = $given::default();
                given.overlay(table.value, &table.source);
                given
            }
        }
    };
}

keys! {
    /// The top level.
    Top, TopWritten {
        listen: String,
        public_url: OneOrMany,
        database: String,
        data: String,
        currency: String,
        time_zone: String,
        default_country: String,
        default_sender: String,
        depth_max: i64,
        strict_status: bool,
        trusted_proxies: OneOrMany,
        session_idle_minutes: i64,
        session_hours: i64,
        secrets_key: String,
        sign_in: SignInWritten,
        limits: LimitsWritten,
        mail: MailWritten,
        carrier: Vec<Spanned<CarrierWritten>>,
        route: Vec<Spanned<RouteWritten>>,
    }
}

keys! {
    /// `[limits]`.
    Limits, LimitsWritten {
        connections_max: i64,
        connections_per_address_max: i64,
        body_bytes_max: i64,
        body_timeout_seconds: i64,
        request_timeout_seconds: i64,
        idle_timeout_seconds: i64,
    }
}

keys! {
    /// `[mail]`.
    Mail, MailWritten {
        host: String,
        port: i64,
        tls: String,
        authority: String,
        user: String,
        password: String,
        from: String,
        reply_to: String,
    }
}

keys! {
    /// `[sign_in]`: a provider of sign-ins.
    SignIn, SignInWritten {
        issuer: String,
        client_id: String,
        client_secret: String,
        label: String,
    }
}

keys! {
    /// `[[carrier]]`. Which of them a carrier takes depends on its kind.
    Carrier, CarrierWritten {
        name: String,
        kind: String,
        address: String,
        system_id: String,
        password: String,
        system_type: String,
        service_type: String,
        sessions: i64,
        window: i64,
        rate: i64,
        enquire_link_seconds: i64,
        answer_timeout_seconds: i64,
        message_ids: String,
        url: String,
        key: String,
        answer_milliseconds: i64,
        report_milliseconds: i64,
    }
}

keys! {
    /// `[[route]]`.
    Route, RouteWritten {
        carrier: String,
        countries: Vec<Spanned<String>>,
        priority: i64,
    }
}

/// A text, or a list of texts.
#[derive(Clone, Debug)]
pub(super) struct OneOrMany(pub Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OneOrMany, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<OneOrMany, E> {
                String::deserialize(StrDeserializer::new(text)).map(|one| OneOrMany(vec![one]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<OneOrMany, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(OneOrMany)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl Top {
    /// Takes over what a file says.
    pub fn overlay_file(&mut self, name: &str, text: String) -> Result<(), Problem> {
        let written = toml::from_str(&text).map_err(|error| explain(name, &text, &error))?;
        self.overlay(written, &Arc::new(Source::File { name: name.to_owned(), text }));
        Ok(())
    }

    /// Takes over what the environment says: `BRANCHLINE_LISTEN` is `listen`, `BRANCHLINE_CARRIER`
    /// a list of tables as TOML writes it inline, and `BRANCHLINE_LIMITS` such a table. What begins
    /// with `BRANCHLINE_` and is no key is left alone, as container platforms invent such names, unless a
    /// key was probably meant.
    pub fn overlay_environment(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), Problem> {
        for (variable, value) in variables {
            let Some(key) = variable.strip_prefix("BRANCHLINE_").map(str::to_ascii_lowercase) else {
                continue;
            };
            if !Top::KEYS.contains(&key.as_str()) {
                let Some(meant) = nearest(&key, Top::KEYS.iter().copied()) else { continue };
                let meant = meant.to_ascii_uppercase();
                let message = format!("'{variable}' is not a setting; did you mean 'BRANCHLINE_{meant}'?");
                return Err(Problem { origin: "the environment".to_owned(), key, message });
            }
            let written = from_word(&key, &value).map_err(|error| {
                let (unknown, message) = match unknown_key(error.message(), &key) {
                    Some((unknown, message)) => (unknown, message),
                    None => (key.clone(), format!("'{key}': {}", plain_words(error.message()))),
                };
                Problem { origin: variable.clone(), key: unknown, message }
            })?;
            self.overlay(written, &Arc::new(Source::Word(variable)));
        }
        Ok(())
    }
}

/// A key whose value stands alone, in TOML or as a plain word.
fn from_word<T: DeserializeOwned>(key: &str, value: &str) -> Result<T, toml::de::Error> {
    let quoted = format!("{key} = {}", toml::Value::from(value));
    toml::from_str(&format!("{key} = {value}")).or_else(|as_toml| match toml::from_str(&quoted) {
        Ok(written) => Ok(written),
        // A list or table was meant, and what is wrong with it is said better by the first try.
        Err(_) if value.trim_start().starts_with(['[', '{']) => Err(as_toml),
        Err(as_text) => Err(as_text),
    })
}

/// What is wrong with a document, in words that name the key, the line and what was perhaps meant.
fn explain(name: &str, text: &str, error: &toml::de::Error) -> Problem {
    let at = error.span().map_or(0, |span| span.start);
    let line = Source::line_of(text, at);
    let origin = error.span().map_or(name.to_owned(), |_| format!("{name}, line {line}"));
    if let Some((key, message)) = unknown_key(error.message(), &table_of(text, line)) {
        return Problem { origin, key, message };
    }
    let key = text.lines().nth(line - 1).and_then(|l| l.split_once('=')).map_or("", |(key, _)| key.trim());
    let said = plain_words(error.message());
    let message = if key.is_empty() { said } else { format!("'{key}': {said}") };
    Problem { origin, key: key.to_owned(), message }
}

/// The key that a table does not know, and what is said of it; nothing when that is not the error.
fn unknown_key(error: &str, table: &str) -> Option<(String, String)> {
    let words: Vec<&str> = error.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2).collect();
    let (unknown, known) = words.split_first()?;
    let message = match nearest(unknown, known.iter().copied()) {
        Some(near) => format!("'{unknown}' is not a key of {table}; did you mean '{near}'?"),
        None if Top::KEYS.contains(unknown) => format!(
            "'{unknown}' is not a key of {table} but of the top level; write it above the first line in brackets"
        ),
        None => format!("'{unknown}' is not a key of {table}; its keys are {}", known.join(", ")),
    };
    Some(((*unknown).to_owned(), message))
}

/// The table a line stands in, as it is written.
fn table_of(text: &str, line: usize) -> String {
    let headers = text.lines().take(line).filter(|l| l.trim_start().starts_with('['));
    headers.last().map_or("the top level".to_owned(), |header| {
        header.split('#').next().unwrap_or_default().trim().to_owned()
    })
}

/// Rust's words for kinds of values in everybody's.
fn plain_words(message: &str) -> String {
    message
        .replace("expected i64", "expected a whole number")
        .replace("expected a borrowed string", "expected a string")
        .replace('`', "'")
}

/// The word that was perhaps meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase().replace('-', "_");
    let distance = |known: &str| strsim::damerau_levenshtein(&word, &known.to_ascii_lowercase());
    let (near, away) = known.into_iter().map(|k| (k, distance(k))).min_by_key(|(_, away)| *away)?;
    (away <= (word.len() / 3).clamp(1, 3)).then_some(near)
}
