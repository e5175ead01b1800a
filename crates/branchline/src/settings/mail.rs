//! `[mail]`: the server that mails leave by.

use gateway::mail::server::{self, ANSWER_WITHIN, Server, Tls};

use super::document::{At, Mail as Given, Problem, nearest};
use super::whole;

/// The server as written.
pub(super) fn server(place: &At<()>, given: Given, public_url: Option<&String>) -> Result<Server, Problem> {
    let missing =
        |key: &str, example: &str| place.problem(format!("names no {key}; add {key} = \"{example}\""));
    let host = given.host.ok_or_else(|| missing("host", "smtp.example.com"))?;
    let host = host.read(|name| host_name(name))?;
    let tls = given.tls.map_or(Ok(Tls::StartTls), |at| at.read(|word| tls(word)))?;
    let usual_port = match tls {
        Tls::StartTls => 587,
        Tls::Implicit => 465,
        Tls::None => 25,
    };
    let from = given.from.ok_or_else(|| missing("from", "Branchline <sms@example.com>"))?;
    let from = from.read(|text| server::mailbox(text))?;
    let login = match (given.user, given.password) {
        (None, None) => None,
        (Some(user), None) => return Err(user.problem("has no password beside it; add password = \"...\"")),
        (None, Some(password)) => return Err(password.problem("has no user beside it; add user = \"...\"")),
        (Some(_), Some(password)) if tls == Tls::None && !is_here(&host) => {
            return Err(password.problem(format!(
                "would travel to {host} in clear; use tls = \"starttls\" or \"tls\", or leave user and password out"
            )));
        }
        (Some(user), Some(password)) => Some((user.value, password.value)),
    };
    let authority = given.authority.map(|at| at.read(|path| authority(path))).transpose()?;
    let hello =
        public_url.and_then(|url| url.split("://").nth(1)).and_then(|rest| rest.split(['/', ':']).next());
    let hello =
        hello.filter(|name| !name.is_empty() && !name.starts_with('[')).unwrap_or(from.email.domain());
    Ok(Server {
        hello: hello.to_owned(),
        port: given.port.map_or(Ok(usual_port), |at| whole(at, 1, 65_535))?,
        reply_to: given.reply_to.map(|at| at.read(|text| server::mailbox(text))).transpose()?,
        host,
        tls,
        authority,
        login,
        from,
        answer_within: ANSWER_WITHIN,
    })
}

fn host_name(name: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    match name {
        "" => Err("is empty; write the server's name, such as smtp.example.com".to_owned()),
        _ if name.contains("://") => Err(format!("'{name}' is an address; write the server's name alone")),
        _ if name.parse::<std::net::IpAddr>().is_ok() => Ok(name.to_owned()),
        _ if name.contains(':') => Err(format!("'{name}' has a port; write that as port = 587")),
        _ if name.chars().all(plain) => Ok(name.to_owned()),
        _ => Err(format!("'{name}' is not the name of a server; write it as smtp.example.com")),
    }
}

/// Whether a server runs on this machine.
fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn tls(word: &str) -> Result<Tls, String> {
    match word {
        "starttls" => Ok(Tls::StartTls),
        "tls" => Ok(Tls::Implicit),
        "none" => Ok(Tls::None),
        _ => Err(match nearest(word, ["starttls", "tls", "none"]) {
            Some(near) => format!("'{word}' is not a way to encrypt; did you mean '{near}'?"),
            None => format!("'{word}' is not a way to encrypt; use starttls, tls or none"),
        }),
    }
}

fn authority(path: &str) -> Result<Vec<u8>, String> {
    let pem = std::fs::read(path).map_err(|error| format!("the file {path} cannot be read: {error}"))?;
    server::authority(&pem).map_err(|why| format!("the file {path} {why}"))?;
    Ok(pem)
}
