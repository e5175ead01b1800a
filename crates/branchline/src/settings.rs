//! The settings of an installation: one TOML file, over it the environment, over both the flags of
//! the command line. What is read here is checked here: after it, a carrier named by a route
//! exists, and a time zone is one.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use domain::account::DEPTH_MAX_DEFAULT;
use domain::phone_number::Country;
use domain::route::Route;
use domain::sender_id::SenderId;
use jiff::tz::TimeZone;
use storage::Address;

mod carrier;
mod document;
mod mail;

#[cfg(test)]
mod tests;

pub use carrier::{Carrier, Kind};
pub use document::Problem;
pub use document::nearest;
use document::{At, Limits as LimitsGiven, OneOrMany, Route as RouteGiven, SignIn as SignInGiven, Top};
use gateway::people::PeopleRules;
use gateway::provider::ProviderSettings;
use gateway::seal::Key;

/// The file that is read when none is named, if it exists.
pub const FILE: &str = "branchline.toml";
/// The folder of an installation that does not say.
pub const DATA: &str = "branchline-data";
/// The port of the API.
pub const LISTEN: &str = "127.0.0.1:8077";

/// Everything an installation can set.
#[derive(Clone)]
pub struct Settings {
    /// Where the API listens: `host:port`.
    pub listen: String,
    /// The addresses clients know it by, for links and signatures.
    pub public_urls: Vec<String>,
    /// Where the books are.
    pub database: Address,
    /// The folder of everything else.
    pub data: PathBuf,
    /// The currency of all amounts, as ISO 4217 says it.
    pub currency: String,
    /// Whose dates the statistics count by.
    pub time_zone: TimeZone,
    /// The country of numbers written without one.
    pub default_country: Country,
    /// Who messages are from when nobody says.
    pub default_sender: String,
    /// How many accounts deep a tree may be.
    pub depth_max: usize,
    /// How people sign in.
    pub people: PeopleRules,
    /// The key of the secrets in the books; without it, it is in a file of the folder.
    pub secrets_key: Option<Key>,
    /// What the API bears, and how it answers.
    pub api: api::Options,
    /// The server that mails leave by; without one they are kept.
    pub mail: Option<gateway::mail::server::Server>,
    /// The lines out; at least one.
    pub carriers: Vec<Carrier>,
    /// Which carrier takes what; at least one.
    pub routes: Vec<Route>,
}

/// What the command line says of settings; each counts above the environment and the file.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--data`.
    pub data: Option<PathBuf>,
    /// `--database`.
    pub database: Option<String>,
    /// `--listen`.
    pub listen: Option<String>,
}

/// Shows no secrets: neither the passwords of carriers nor that of the database.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("listen", &self.listen)
            .field("database", &self.database_shown())
            .field("data", &self.data)
            .field("mail", &self.mail)
            .field("carriers", &self.carriers)
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Reads the file (the one named, else [`FILE`] where there is one), the environment and the
    /// flags.
    ///
    /// # Errors
    /// The first thing found wrong, with the place it was written at and what to do about it.
    pub fn read(
        flags: &Flags,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Settings, Problem> {
        let mut top = Top::default();
        match &flags.config {
            Some(path) => {
                let name = path.display().to_string();
                let text = std::fs::read_to_string(path).map_err(|error| Problem {
                    origin: "--config".to_owned(),
                    key: "config".to_owned(),
                    message: format!("the file {name} cannot be read: {error}"),
                })?;
                top.overlay_file(&name, text)?;
            }
            None => match std::fs::read_to_string(FILE) {
                Ok(text) => top.overlay_file(FILE, text)?,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    let message = format!("the file cannot be read: {error}");
                    return Err(Problem { origin: FILE.to_owned(), key: "config".to_owned(), message });
                }
            },
        }
        top.overlay_environment(environment)?;
        Settings::over(top, flags)
    }

    /// The flags alone, over what is usual: neither a file nor the environment counts.
    pub fn of_flags(flags: &Flags) -> Result<Settings, Problem> {
        Settings::over(Top::default(), flags)
    }

    fn over(mut top: Top, flags: &Flags) -> Result<Settings, Problem> {
        if let Some(data) = &flags.data {
            top.data = Some(At::word("data", data.display().to_string(), "--data"));
        }
        if let Some(database) = &flags.database {
            top.database = Some(At::word("database", database.clone(), "--database"));
        }
        if let Some(listen) = &flags.listen {
            top.listen = Some(At::word("listen", listen.clone(), "--listen"));
        }
        Settings::of(top)
    }

    fn of(top: Top) -> Result<Settings, Problem> {
        let data = PathBuf::from(top.data.map_or(DATA.to_owned(), |at| at.value));
        let mut settings = Settings {
            listen: top.listen.map_or(Ok(LISTEN.to_owned()), |at| at.read(|text| address(text, 0)))?,
            public_urls: top.public_url.map_or(Ok(Vec::new()), |at| at.read(public_urls))?,
            database: match top.database {
                Some(at) => at.read(|text| Address::from_str(text))?,
                None => Address::Sqlite(data.join("branchline.db")),
            },
            data,
            currency: top.currency.map_or(Ok("EUR".to_owned()), |at| at.read(|code| currency(code)))?,
            time_zone: top.time_zone.map_or(Ok(TimeZone::UTC), |at| at.read(|name| time_zone(name)))?,
            default_country: match top.default_country {
                Some(at) => at.read(|text| country(text))?,
                None => Country::parse("DE").expect("the numbering plan has Germany"),
            },
            default_sender: match top.default_sender {
                Some(at) => at.read(|text| SenderId::parse(text))?.as_str().to_owned(),
                None => "Branchline".to_owned(),
            },
            depth_max: top.depth_max.map_or(Ok(DEPTH_MAX_DEFAULT), |at| whole(at, 1, 32))?,
            people: PeopleRules {
                session_idle: lasting(top.session_idle_minutes, 60, 60, 1, 24 * 60)?,
                session_lasts: lasting(top.session_hours, 24, 3600, 1, 30 * 24)?,
                provider: top.sign_in.map(provider).transpose()?,
            },
            secrets_key: top.secrets_key.map(|at| at.read(|text| secrets_key(text))).transpose()?,
            api: api::Options {
                strict_status: top.strict_status.is_some_and(|at| at.value),
                trusted_proxies: top
                    .trusted_proxies
                    .map(|at| at.read(proxies))
                    .transpose()?
                    .unwrap_or_default(),
                ..top.limits.map_or(Ok(api::Options::default()), |at| limits(at.into()))?
            },
            mail: None,
            carriers: Carrier::all(top.carrier)?,
            routes: Vec::new(),
        };
        if let Some(table) = top.mail {
            settings.mail = Some(mail::server(&table.place(), table.into(), settings.public_urls.first())?);
        }
        settings.routes = routes(top.route, &settings.carriers)?;
        Ok(settings)
    }

    /// The address of the database without its password.
    pub fn database_shown(&self) -> String {
        match &self.database {
            Address::Sqlite(path) => format!("sqlite:{}", path.display()),
            Address::Postgres(url) => without_password(url),
        }
    }
}

/// The address with everything between the user's name and the host starred out.
fn without_password(url: &str) -> String {
    let shown = || {
        let (scheme, rest) = url.split_once("://")?;
        let (who, host) = rest.rsplit_once('@')?;
        let (user, _) = who.split_once(':')?;
        Some(format!("{scheme}://{user}:***@{host}"))
    };
    let shown = shown().unwrap_or_else(|| url.to_owned());
    match shown.split_once("password=") {
        Some((before, after)) => {
            let rest = after.find('&').map_or("", |end| &after[end..]);
            format!("{before}password=***{rest}")
        }
        None => shown,
    }
}

/// A whole number between two bounds.
fn whole<T: TryFrom<i64>>(at: At<i64>, min: i64, max: i64) -> Result<T, Problem> {
    at.read(|n| match (min..=max).contains(n) {
        true => T::try_from(*n).map_err(|_| format!("{n} is too large")),
        false => Err(format!("{n} is out of range; use {min} to {max}")),
    })
}

/// `host:port` with a port of `port_min` (0 lets the system choose one) to 65535.
fn address(text: &str, port_min: u16) -> Result<String, String> {
    let wrong = |why: &str| Err(format!("'{text}' {why}; write it as host:port, such as 127.0.0.1:8077"));
    let Some((host, port)) = text.rsplit_once(':') else { return wrong("has no port") };
    if host.is_empty() || host.contains(char::is_whitespace) || host.contains('/') {
        return wrong("names no host");
    }
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return wrong("is an IPv6 address without brackets");
    }
    match port.parse::<u16>() {
        Ok(number) if number >= port_min => Ok(text.to_owned()),
        _ => wrong("has a port that is no number from 1 to 65535"),
    }
}

/// An address of the web, without the slash at its end.
fn web_address(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') && !rest.contains(char::is_whitespace) => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err(format!("'{text}' is not an address of the web; write it as https://sms.example.com")),
    }
}

fn public_urls(given: &OneOrMany) -> Result<Vec<String>, String> {
    given.0.iter().map(|url| web_address(url)).collect()
}

fn proxies(given: &OneOrMany) -> Result<api::Proxies, String> {
    api::Proxies::parse(given.0.iter().map(String::as_str))
}

fn currency(code: &str) -> Result<String, String> {
    let known = iso_currency::Currency::from_code(&code.to_ascii_uppercase());
    known.map(|currency| currency.code().to_owned()).ok_or_else(|| {
        format!("'{code}' is not a currency of ISO 4217; write its three letters, such as EUR")
    })
}

fn time_zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| {
        let known: Vec<String> = jiff::tz::db().available().map(|n| n.to_string()).collect();
        match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("'{name}' is not a known time zone; did you mean '{near}'?"),
            None => format!("'{name}' is not a known time zone; write its IANA name, such as Europe/Berlin"),
        }
    })
}

fn country(text: &str) -> Result<Country, String> {
    Country::parse(text).ok_or_else(|| {
        let other = match text.to_ascii_uppercase().as_str() {
            "UK" => Some("GB"),
            "EL" => Some("GR"),
            _ => None,
        };
        let by_name = || Country::all().find(|c| c.name().eq_ignore_ascii_case(text));
        match other.and_then(Country::parse).or_else(by_name) {
            Some(meant) => format!("'{text}' is not a country; did you mean '{meant}'?"),
            None => format!("'{text}' is not a country; write its two letters of ISO 3166, such as DE"),
        }
    })
}

/// A time given as a number of units of so many seconds.
fn lasting(given: Option<At<i64>>, usual: u64, unit: u64, min: i64, max: i64) -> Result<Duration, Problem> {
    let count: u64 = given.map_or(Ok(usual), |at| whole(at, min, max))?;
    Ok(Duration::from_secs(count * unit))
}

/// The key of the secrets in the books. What was written is not repeated: it may be nearly right.
fn secrets_key(text: &str) -> Result<Key, &'static str> {
    Key::parse(text)
        .ok_or("this is not a key; write the 43 characters that stand in the file secrets.key of the folder")
}

/// A provider of sign-ins.
fn provider(given: At<document::SignInWritten>) -> Result<ProviderSettings, Problem> {
    let place = given.place();
    let given = SignInGiven::from(given);
    let needed = |at: Option<At<String>>, key: &str| {
        at.filter(|at| !at.value.trim().is_empty()).ok_or_else(|| {
            place.problem(format!("names no {key}; add {key} = \"...\", as the provider says it"))
        })
    };
    Ok(ProviderSettings {
        // Kept as it is written: a slash at its end belongs to the name.
        issuer: needed(given.issuer, "issuer")?
            .read(|url| web_address(url).map(|_| url.trim().to_owned()))?,
        client_id: needed(given.client_id, "client_id")?.value,
        client_secret: given.client_secret.map(|at| at.value).filter(|secret| !secret.is_empty()),
        label: given.label.map_or_else(|| "single sign-on".to_owned(), |at| at.value),
    })
}

fn limits(given: LimitsGiven) -> Result<api::Options, Problem> {
    let usual = api::Options::default();
    let seconds = |at: Option<At<i64>>, usual: Duration| match at {
        Some(at) => whole(at, 1, 3600).map(Duration::from_secs),
        None => Ok(usual),
    };
    let count = |at: Option<At<i64>>, usual: usize| at.map_or(Ok(usual), |at| whole(at, 1, 1_000_000));
    Ok(api::Options {
        connections_max: count(given.connections_max, usual.connections_max)?,
        connections_per_address_max: count(
            given.connections_per_address_max,
            usual.connections_per_address_max,
        )?,
        body_max: given.body_bytes_max.map_or(Ok(usual.body_max), |at| whole(at, 1024, 1 << 30))?,
        body_timeout: seconds(given.body_timeout_seconds, usual.body_timeout)?,
        request_timeout: seconds(given.request_timeout_seconds, usual.request_timeout)?,
        idle_timeout: seconds(given.idle_timeout_seconds, usual.idle_timeout)?,
        ..usual
    })
}

/// The routes as written; without any, every carrier takes everything, the first one named first.
fn routes(
    given: Option<At<Vec<toml::Spanned<document::RouteWritten>>>>,
    carriers: &[Carrier],
) -> Result<Vec<Route>, Problem> {
    let written = given.map(At::each).unwrap_or_default();
    if written.is_empty() {
        let all = carriers.iter().zip(1..);
        return Ok(all
            .map(|(c, priority)| Route { carrier: c.name.clone(), countries: Vec::new(), priority })
            .collect());
    }
    written.into_iter().map(|table| route(table.place(), table.into(), carriers)).collect()
}

fn route(place: At<()>, given: RouteGiven, carriers: &[Carrier]) -> Result<Route, Problem> {
    let carrier = given.carrier.ok_or_else(|| place.problem("names no carrier; add carrier = \"NAME\""))?;
    let carrier = carrier.read(|name| {
        let names = || carriers.iter().map(|c| c.name.as_str());
        match (names().any(|n| n == name), nearest(name, names())) {
            (true, _) => Ok(name.clone()),
            (false, Some(near)) => Err(format!("there is no carrier '{name}'; did you mean '{near}'?")),
            (false, None) => Err(format!("there is no carrier '{name}'; define it with [[carrier]]")),
        }
    })?;
    let countries = match given.countries {
        Some(list) if list.value.is_empty() => {
            return Err(list.problem("names no country; leave the key out when the route serves all"));
        }
        Some(list) => {
            list.each().into_iter().map(|at| at.read(|text| country(text))).collect::<Result<_, _>>()?
        }
        None => Vec::new(),
    };
    let priority = given.priority.map_or(Ok(1), |at| whole(at, 0, 1_000_000))?;
    Ok(Route { carrier, countries, priority })
}
