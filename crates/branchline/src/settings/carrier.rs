//! `[[carrier]]`: which keys each kind of line takes, and within what bounds.

use std::fmt;
use std::time::Duration;

use domain::carrier::IdSpelling;
use toml::Spanned;

use super::document::{At, Carrier as Given, CarrierWritten, Problem, nearest};
use super::{address, web_address, whole};

/// A carrier as the settings describe it.
#[derive(Clone)]
pub struct Carrier {
    /// What routes call it.
    pub name: String,
    /// How the ids of its reports relate to those of its answers.
    pub message_ids: IdSpelling,
    /// How it is reached.
    pub kind: Kind,
}

/// How a carrier is reached.
#[derive(Clone)]
pub enum Kind {
    /// By SMPP 3.4.
    Smpp(carriers::smpp::Settings),
    /// By HTTP, in the words our own API understands.
    Http(carriers::http::Settings),
    /// Not at all: an invented handset.
    Simulator(carriers::simulator::Settings),
}

impl Kind {
    /// The word of the settings.
    pub fn as_str(&self) -> &'static str {
        match self {
            Kind::Smpp(_) => "smpp",
            Kind::Http(_) => "http",
            Kind::Simulator(_) => "simulator",
        }
    }
}

/// Shows no secrets.
impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.kind.as_str())
    }
}

/// The keys every kind takes, and those each kind takes besides.
const COMMON: &[&str] = &["name", "kind"];
const SMPP: &[&str] = &[
    "address",
    "system_id",
    "password",
    "system_type",
    "service_type",
    "sessions",
    "window",
    "rate",
    "enquire_link_seconds",
    "answer_timeout_seconds",
    "message_ids",
];
const HTTP: &[&str] = &["url", "key", "window", "answer_timeout_seconds"];
const SIMULATOR: &[&str] = &["window", "answer_milliseconds", "report_milliseconds"];

impl Carrier {
    /// The carriers as written; without any, a simulator of that name.
    pub(super) fn all(given: Option<At<Vec<Spanned<CarrierWritten>>>>) -> Result<Vec<Carrier>, Problem> {
        let written = given.map(At::each).unwrap_or_default();
        let mut all: Vec<Carrier> = Vec::with_capacity(written.len().max(1));
        for table in written {
            let (place, given) = (table.place(), Given::from(table));
            let named = given.name.as_ref().map(At::place);
            let carrier = carrier(&place, given)?;
            if all.iter().any(|c| c.name == carrier.name) {
                let message = format!("there are two carriers '{}'; give each its own name", carrier.name);
                return Err(named.unwrap_or(place).problem(message));
            }
            all.push(carrier);
        }
        if all.is_empty() {
            let kind = Kind::Simulator(carriers::simulator::Settings::new("simulator"));
            all.push(Carrier { name: "simulator".to_owned(), message_ids: IdSpelling::default(), kind });
        }
        Ok(all)
    }
}

fn carrier(place: &At<()>, mut given: Given) -> Result<Carrier, Problem> {
    let name = given.name.take().ok_or_else(|| place.problem("has no name; add name = \"NAME\""))?;
    let name = name.read(|name| match name.trim() {
        "" => Err("is empty; give the carrier a name"),
        name if name.len() > 64 => Err("is longer than 64 characters"),
        name => Ok(name.to_owned()),
    })?;
    let kind = given.kind.take().ok_or_else(|| {
        place.problem(format!("'{name}' has no kind; add kind = \"smpp\", \"http\" or \"simulator\""))
    })?;
    let message_ids = match (&given.message_ids, kind.value.as_str()) {
        (Some(at), _) => at.clone().read(|word| spelling(word))?,
        // Only SMPP carriers spell one id in two ways.
        (None, "http") => IdSpelling::AsIs,
        (None, _) => IdSpelling::default(),
    };
    let kind = match kind.value.as_str() {
        "smpp" => {
            given.takes_only(&kind, SMPP)?;
            Kind::Smpp(smpp(place, &name, message_ids, given)?)
        }
        "http" => {
            given.takes_only(&kind, HTTP)?;
            Kind::Http(http(place, &name, given)?)
        }
        "simulator" => {
            given.takes_only(&kind, SIMULATOR)?;
            Kind::Simulator(simulator(&name, given)?)
        }
        other => {
            let meant = nearest(other, ["smpp", "http", "simulator"]);
            let meant =
                meant.map_or("use smpp, http or simulator".to_owned(), |m| format!("did you mean '{m}'?"));
            return Err(kind.problem(format!("'{other}' is not a kind of carrier; {meant}")));
        }
    };
    Ok(Carrier { name, message_ids, kind })
}

fn spelling(word: &str) -> Result<IdSpelling, String> {
    match word {
        "auto" => Ok(IdSpelling::Auto),
        "as-is" => Ok(IdSpelling::AsIs),
        "hex-then-decimal" => Ok(IdSpelling::HexThenDecimal),
        "decimal-then-hex" => Ok(IdSpelling::DecimalThenHex),
        _ => {
            Err(format!("'{word}' is not a spelling; use auto, as-is, hex-then-decimal or decimal-then-hex"))
        }
    }
}

/// A text of at most so many octets, as a field of SMPP holds them.
fn field(at: At<String>, max: usize) -> Result<String, Problem> {
    at.read(|text| match text.len() {
        length if length > max => Err(format!("has {length} octets; SMPP takes at most {max}")),
        _ if !text.is_ascii() => Err("has a character that SMPP does not know; use ASCII".to_owned()),
        _ => Ok(text.clone()),
    })
}

fn smpp(
    place: &At<()>,
    name: &str,
    message_ids: IdSpelling,
    given: Given,
) -> Result<carriers::smpp::Settings, Problem> {
    let missing =
        |key: &str| place.problem(format!("'{name}' has no {key}; a carrier of kind smpp needs one"));
    let reached = given.address.ok_or_else(|| missing("address"))?.read(|text| address(text, 1))?;
    let system_id = field(given.system_id.ok_or_else(|| missing("system_id"))?, 15)?;
    // The standard allows 8 octets, carriers in practice more.
    let password = given.password.map_or(Ok(String::new()), |at| field(at, 64))?;
    let usual = carriers::smpp::Settings::new(name, &reached, &system_id, &password);
    Ok(carriers::smpp::Settings {
        system_type: given.system_type.map_or(Ok(String::new()), |at| field(at, 12))?,
        service_type: given.service_type.map_or(Ok(String::new()), |at| field(at, 5))?,
        sessions: given.sessions.map_or(Ok(usual.sessions), |at| whole(at, 1, 64))?,
        window: given.window.map_or(Ok(usual.window), |at| whole(at, 1, 10_000))?,
        rate: given.rate.map_or(Ok(usual.rate), |at| whole(at, 0, 1_000_000))?,
        enquire_link_after: seconds(given.enquire_link_seconds, usual.enquire_link_after)?,
        answer_within: seconds(given.answer_timeout_seconds, usual.answer_within)?,
        message_ids,
        ..usual
    })
}

fn http(place: &At<()>, name: &str, given: Given) -> Result<carriers::http::Settings, Problem> {
    let missing =
        |key: &str| place.problem(format!("'{name}' has no {key}; a carrier of kind http needs one"));
    let url = given.url.ok_or_else(|| missing("url"))?.read(|text| web_address(text))?;
    let key = given.key.ok_or_else(|| missing("key"))?.value;
    let usual = carriers::http::Settings::new(name, &url, &key);
    Ok(carriers::http::Settings {
        window: given.window.map_or(Ok(usual.window), |at| whole(at, 1, 10_000))?,
        answer_within: seconds(given.answer_timeout_seconds, usual.answer_within)?,
        ..usual
    })
}

fn simulator(name: &str, given: Given) -> Result<carriers::simulator::Settings, Problem> {
    let usual = carriers::simulator::Settings::new(name);
    let milliseconds = |at: Option<At<i64>>, usual: Duration| match at {
        Some(at) => whole(at, 0, 86_400_000).map(Duration::from_millis),
        None => Ok(usual),
    };
    Ok(carriers::simulator::Settings {
        window: given.window.map_or(Ok(usual.window), |at| whole(at, 1, 1_000_000))?,
        answer_after: milliseconds(given.answer_milliseconds, usual.answer_after)?,
        report_after: milliseconds(given.report_milliseconds, usual.report_after)?,
        ..usual
    })
}

fn seconds(at: Option<At<i64>>, usual: Duration) -> Result<Duration, Problem> {
    match at {
        Some(at) => whole(at, 1, 3600).map(Duration::from_secs),
        None => Ok(usual),
    }
}

impl Given {
    /// Refuses the keys that mean nothing to this kind of carrier.
    fn takes_only(&self, kind: &At<String>, keys: &[&str]) -> Result<(), Problem> {
        let foreign = self.places().into_iter().find(|(key, _)| !COMMON.contains(key) && !keys.contains(key));
        match foreign {
            None => Ok(()),
            Some((_, at)) => Err(at.problem(format!(
                "means nothing to a carrier of kind {}, which takes {}; remove it",
                kind.value,
                keys.join(", ")
            ))),
        }
    }
}
