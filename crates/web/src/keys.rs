//! The API keys of an account: which there are, a new one, and taking one back. A secret is shown once,
//! in the answer that made it, with a line that works.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::id::KeyId;
use domain::key::{Key, Scope, Scopes};
use domain::moment::Moment;
use domain::permission::Action;
use gateway::keys::{self, CreateKeyError, NewKey, RevokeError};

use crate::door::Place;
use crate::error::Stop;
use crate::form::{Field, Summary, Typed};
use crate::format::{Format, Time};
use crate::page::{self, Shell};
use crate::parts::{Badge, Copy, Empty};
use crate::{Console, flash};

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
/// How long a new key may be chosen to work: days, and their words.
const LASTS: [(&str, &str); 4] =
    [("", "Until it is revoked"), ("30", "30 days"), ("90", "90 days"), ("365", "One year")];
/// A key that ends within this is marked.
const SOON: i64 = 14 * DAY;

#[derive(Template)]
#[template(path = "a/keys/index.html")]
struct Keys {
    shell: Shell,
    rows: Vec<Row>,
    revoked: Vec<Row>,
    empty: Empty,
    new_href: Option<String>,
    curl: Copy,
    account: String,
}

/// A key as it is listed.
struct Row {
    label: String,
    prefix: String,
    kind: Badge,
    reach: Option<&'static str>,
    scopes: String,
    created: Time,
    used: Option<Time>,
    ends: Option<Time>,
    warning: Option<Badge>,
    revoke_href: Option<String>,
}

impl Row {
    fn of(place: &Place, key: &Key, used: Option<Moment>) -> Row {
        let format = place.format();
        let now = format.now;
        let works = key.works(now);
        let warning = match key.expires_at {
            _ if key.revoked_at.is_some() => Some(Badge::new("calm", "revoked")),
            Some(end) if end <= now => Some(Badge::new("bad", "expired")),
            Some(end) if end.0 - now.0 < SOON => Some(Badge::new("warn", "ends soon")),
            _ => None,
        };
        Row {
            label: if key.label.trim().is_empty() { format!("Key {}", key.id) } else { key.label.clone() },
            prefix: key.prefix.clone(),
            kind: if key.sandbox { Badge::new("calm", "sandbox") } else { Badge::new("good", "live") },
            reach: key.subaccount_access.then_some("also subaccounts"),
            scopes: scopes_words(key.scopes),
            created: format.date(key.created_at),
            used: used.map(|at| format.ago(at)),
            ends: key.expires_at.map(|at| format.date(at)),
            warning,
            revoke_href: (works && place.may(Action::ManageKeys))
                .then(|| place.href(&format!("keys/{}/revoke", key.id))),
        }
    }
}

/// The scopes of a key in a few words.
fn scopes_words(scopes: Scopes) -> String {
    let names: Vec<&str> = scopes.iter().map(Scope::as_str).collect();
    if Scope::ALL.into_iter().all(|scope| scopes.has(scope)) {
        return "Everything".to_owned();
    }
    if scopes == Scopes::WIRE {
        return "All of /api".to_owned();
    }
    match names.len() {
        0..=4 => names.join(", "),
        more => format!("{} and {} more", names[..3].join(", "), more - 3),
    }
}

/// A line that sends, ready to be pasted.
fn curl(console: &Console, secret: &str) -> Copy {
    let address = console.gateway.link("");
    Copy {
        label: "Send a message".to_owned(),
        text: format!(
            "curl {address}/api/sms -H 'X-Api-Key: {secret}' -H 'Accept: application/json' \\\n  -d to=+4915228817386 -d from=Hello -d 'text=Hello from Branchline'"
        ),
        is_block: true,
    }
}

/// `GET /a/{id}/keys`.
pub async fn show(State(console): State<Console>, place: Place) -> Result<Response, Stop> {
    let all = storage::keys::of_account(&mut *console.gateway.db.read().await?, place.account.id).await?;
    let (revoked, live): (Vec<_>, Vec<_>) =
        all.into_iter().rev().partition(|(key, _)| key.revoked_at.is_some());
    let rows = |keys: Vec<(Key, Option<Moment>)>| -> Vec<Row> {
        keys.iter().map(|(key, used)| Row::of(&place, key, *used)).collect()
    };
    let new_href = place.may(Action::ManageKeys).then(|| place.href("keys/new"));
    let empty = Empty::new(
        "key",
        "No keys yet",
        "A program shows a key with each call. Its secret is shown once, when the key is created.",
    );
    page::draw(&Keys {
        rows: rows(live),
        revoked: rows(revoked),
        empty: match &new_href {
            Some(href) => empty.next("Create a key", href),
            None => empty,
        },
        new_href,
        curl: curl(&console, "$KEY"),
        account: place.account.id.to_string(),
        shell: place.shell("API keys").wide(),
    })
}

#[derive(Template)]
#[template(path = "a/keys/new.html")]
struct New {
    shell: Shell,
    summary: Summary,
    label: Field,
    kind: Field,
    lasts: Field,
    subaccounts: Option<Field>,
    reach: Field,
    scopes: Vec<Field>,
    back: String,
}

impl New {
    fn of(console: &Console, place: &Place, typed: &Typed) -> New {
        let may_reach_down = place.account.path.len() < console.gateway.rules.depth_max;
        let kinds = [
            ("live", "Live", "Sends, and is charged"),
            ("sandbox", "Sandbox", "Answers as if; nothing is sent, charged or changed"),
        ];
        let reaches = [
            ("wire", "All of /api", "Sending, journal, balance, statistics: what clients of the API need"),
            ("all", "Everything", "Also /v1: accounts, members, keys, credits, settings, the audit log"),
            ("single", "Single parts", "What is ticked below"),
        ];
        New {
            shell: place.shell("New key").under([("API keys", place.href("keys"))]),
            summary: typed.summary(),
            label: typed
                .field("label", "Name")
                .length_max(100)
                .example("Web shop")
                .hint("What it is for, so that you know it again.")
                .first(),
            kind: typed.cards("kind", "What it does", kinds),
            lasts: typed.choice("lasts", "Works", LASTS),
            subaccounts: may_reach_down.then(|| {
                typed.tick("subaccounts", "May act in subaccounts").hint(
                    "With the header X-Account-Id. Each account it acts in can read of it in its audit log.",
                )
            }),
            reach: typed.cards("reach", "What it may use", reaches),
            scopes: Scope::ALL.into_iter().map(|scope| typed.tick(scope.as_str(), scope.as_str())).collect(),
            back: place.href("keys"),
        }
    }
}

/// `GET /a/{id}/keys/new`.
pub async fn show_new(State(console): State<Console>, place: Place) -> Result<Response, Stop> {
    let typed = Typed::of([("kind", "live"), ("reach", "wire"), ("lasts", "")]);
    page::draw(&New::of(&console, &place, &typed))
}

#[derive(Template)]
#[template(path = "a/keys/created.html")]
struct Created {
    shell: Shell,
    label: String,
    secret: Copy,
    curl: Copy,
    sandbox: bool,
    back: String,
}

/// `POST /a/{id}/keys/new`: makes the key and shows its secret, this once.
pub async fn create(
    State(console): State<Console>,
    place: Place,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let new = new_of(&typed, place.format());
    if !LASTS.iter().any(|(days, _)| *days == typed.text("lasts")) {
        typed.wrong("lasts", "Choose one of the times.");
    }
    if !matches!(typed.text("kind"), "live" | "sandbox") {
        typed.wrong("kind", "Choose live or sandbox.");
    }
    if !matches!(typed.text("reach"), "wire" | "all" | "single") {
        typed.wrong("reach", "Choose what it may use.");
    }
    if typed.is_right() {
        match keys::create(&console.gateway, place.account.id, &new, &place.actor()).await {
            Ok((key, secret)) => {
                return page::draw(&Created {
                    shell: place.shell("The new key").under([("API keys", place.href("keys"))]),
                    label: key.label,
                    curl: curl(&console, &secret),
                    secret: Copy { label: "Secret".to_owned(), text: secret, is_block: false },
                    sandbox: key.sandbox,
                    back: place.href("keys"),
                });
            }
            Err(CreateKeyError::Storage(error)) => return Err(error.into()),
            Err(why @ CreateKeyError::Label(_)) => typed.wrong("label", crate::sign_in::sentence(&why)),
            Err(CreateKeyError::NoScopes) => {
                typed.wrong("reach", "Tick at least one part below, or choose another.");
            }
            Err(why) => typed.wrong_in_all(crate::sign_in::sentence(&why)),
        }
    }
    page::draw_again(&New::of(&console, &place, &typed))
}

fn new_of(typed: &Typed, format: &Format) -> NewKey {
    let ticked = Scope::ALL.into_iter().filter(|scope| typed.ticked(scope.as_str()));
    NewKey {
        label: typed.text("label").to_owned(),
        sandbox: typed.text("kind") == "sandbox",
        subaccount_access: typed.ticked("subaccounts"),
        scopes: match typed.text("reach") {
            "wire" => Scopes::WIRE,
            "all" => Scopes::ALL,
            _ => Scopes::of(ticked),
        },
        expires_at: typed.text("lasts").parse::<i64>().ok().map(|days| Moment(format.now.0 + days * DAY)),
    }
}

/// `POST /a/{id}/keys/{key}/revoke`.
pub async fn revoke(
    State(console): State<Console>,
    place: Place,
    Path((_, key)): Path<(i64, i64)>,
) -> Result<Response, Stop> {
    let back = place.href("keys");
    match keys::revoke(&console.gateway, place.account.id, KeyId(key), &place.actor()).await {
        Ok(_) => Ok(flash::done(&back, "The key is revoked. Programs that show it are refused from now on.")),
        Err(RevokeError::Storage(error)) => Err(error.into()),
        Err(RevokeError::NotFound { .. }) => Err(Stop::NotThere),
    }
}
