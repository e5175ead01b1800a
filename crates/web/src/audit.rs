//! The audit log of an account: who did what, from where, with what it was before and is now.

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use domain::actor::ActorKind;
use domain::moment::Moment;
use gateway::audit::Export;
use jiff::civil::Date;
use storage::audit::{Entry, Filter};

use crate::Console;
use crate::agent::Agent;
use crate::door::Place;
use crate::error::Stop;
use crate::form::{Asked, Field, Typed};
use crate::format::{Format, Time};
use crate::link::Link;
use crate::page::{self, Shell};
use crate::paging::Paging;
use crate::parts::{Empty, Icon, Pager};

/// Entries of a page.
const PAGE: i64 = 50;

/// What can be chosen: the beginning of an action, and its words.
const ABOUT: [(&str, &str); 10] = [
    ("", "Everything"),
    ("member.", "Members"),
    ("invitation.", "Invitations"),
    ("ownership.", "Ownership"),
    ("visit.", "Visits from above"),
    ("access.", "Questions for access"),
    ("key.", "API keys"),
    ("credits.", "Credits"),
    ("account.", "The account"),
    ("settings.", "Settings"),
];

#[derive(Template)]
#[template(path = "a/audit.html")]
struct Audit {
    shell: Shell,
    filters: Vec<Field>,
    from_above: Field,
    is_filtered: bool,
    entries: Vec<Shown>,
    empty: Empty,
    pager: Pager,
    href: String,
    csv_href: String,
}

/// An entry as it is read.
struct Shown {
    at: Time,
    icon: Icon,
    actor: String,
    above: Option<String>,
    words: String,
    action: String,
    subject: String,
    changes: Vec<ChangeShown>,
    address: String,
    agent: String,
}

/// A field that changed.
struct ChangeShown {
    name: String,
    before: Option<String>,
    after: Option<String>,
}

/// What was done, in words that follow the one who did it.
fn words_of(action: &str) -> String {
    let words = match action {
        "access.ask" => "asked for access",
        "access.grant" => "let somebody in",
        "access.refuse" => "refused access",
        "access.withdraw" => "withdrew access",
        "account.activate" => "activated the account",
        "account.close" => "closed the account",
        "account.create" => "created the account",
        "account.reopen" => "reopened the account",
        "account.suspend" => "suspended the account",
        "wallet.share" => "set whose wallet pays",
        "auto_transfer.change" => "set when credit comes by itself",
        "credit_line.change" => "set the credit line",
        "credits.grant" => "granted credits",
        "credits.transfer" => "moved credits",
        "invitation.resend" => "mailed an invitation again",
        "invitation.revoke" => "took an invitation back",
        "key.act" => "acted with a key from above",
        "key.create" => "created an API key",
        "key.revoke" => "revoked an API key",
        "limit.change" => "changed a limit",
        "limit.remove" => "took a limit away",
        "limit.set" => "set a limit",
        "login.add_app" => "added an app for codes to their login",
        "login.add_passkey" => "added a passkey to their login",
        "login.change_address" => "changed the address of their login",
        "login.change_password" => "changed the password of their login",
        "login.disable" => "let a member sign in no more",
        "login.enable" => "let a member sign in again",
        "login.end_sessions" => "signed their other browsers out",
        "login.link_provider" => "linked their login to a provider",
        "login.remove_app" => "took the app for codes from their login",
        "login.remove_passkey" => "removed a passkey from their login",
        "login.remove_second_factors" => "took all second factors from a member's login",
        "login.renew_recovery_codes" => "made new recovery codes for their login",
        "login.unlink_provider" => "unlinked their login from a provider",
        "login.use_recovery_code" => "signed in by a recovery code",
        "member.change" => "changed a role",
        "member.invite" => "invited somebody",
        "member.join" => "became a member",
        "member.leave" => "left",
        "member.remove" => "removed a member",
        "message.cancel" => "cancelled a message",
        "messages.look" => "read messages from above",
        "ownership.accept" => "became the owner",
        "ownership.decline" => "declined the ownership",
        "ownership.withdraw" => "took back the offer of the ownership",
        "ownership.offer" => "offered the ownership",
        "prices.assign" => "set the prices",
        "prices.change" => "changed the prices",
        "prices.create" => "made a price list",
        "prices.import" => "took prices in",
        "prices.mark_up" => "put a markup on prices",
        "prices.remove" => "removed a price list",
        "prices.rename" => "renamed a price list",
        "settings.change" => "changed settings",
        "visit.begin" => "stepped in",
        "visit.break_glass" => "broke the glass",
        "visit.end" => "stepped out",
        // New kinds of acts are readable before they have words of their own.
        other => return other.replace(['.', '_'], " "),
    };
    words.to_owned()
}

/// A value as people read it; instants are those of the account.
fn text_of(value: &serde_json::Value, format: &Format) -> Option<String> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(match text.parse::<jiff::Timestamp>() {
            Ok(at) => format.time(Moment(at.as_microsecond())).words().to_owned(),
            Err(_) => text.clone(),
        }),
        serde_json::Value::Bool(yes) => Some(if *yes { "yes" } else { "no" }.to_owned()),
        other => Some(other.to_string()),
    }
}

fn changes_of(entry: &Entry, format: &Format) -> Vec<ChangeShown> {
    let read = |text: &Option<String>| -> serde_json::Map<String, serde_json::Value> {
        text.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    };
    let (before, after) = (read(&entry.before), read(&entry.after));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let change = |name: &String| ChangeShown {
        name: name.replace('_', " "),
        before: before.get(name).and_then(|value| text_of(value, format)),
        after: after.get(name).and_then(|value| text_of(value, format)),
    };
    names.into_iter().map(change).collect()
}

async fn shown(console: &Console, place: &Place, entry: Entry) -> Result<Shown, Stop> {
    let icon = match entry.actor.kind {
        ActorKind::Person => "person",
        ActorKind::Key => "key",
        ActorKind::CommandLine | ActorKind::Operator => "operator",
        ActorKind::Rule => "refresh",
    };
    let above = match entry.actor.above {
        Some(id) => {
            let account = console.gateway.account(id).await?;
            Some(account.map_or_else(|| id.to_string(), |account| account.name().to_owned()))
        }
        None => None,
    };
    Ok(Shown {
        at: place.format().time_exact(entry.at),
        icon: Icon(icon),
        changes: changes_of(&entry, place.format()),
        above,
        words: words_of(&entry.action),
        action: entry.action,
        subject: entry.subject,
        actor: entry.actor.name,
        address: entry.actor.address,
        agent: if entry.actor.agent.is_empty() { String::new() } else { Agent::of(&entry.actor.agent).words },
    })
}

/// The moment a day begins, as a date field gives it.
fn day(text: &str, format: &Format, later_by: i64) -> Option<Moment> {
    let date: Date = text.parse().ok()?;
    let date = date.checked_add(jiff::Span::new().days(later_by)).ok()?;
    let zoned = date.to_zoned_datetime(format.time_zone.clone()).ok()?;
    Some(Moment(zoned.timestamp().as_microsecond()))
}

fn filter(asked: &Typed, format: &Format) -> Filter {
    let given = |name: &str| Some(asked.text(name)).filter(|text| !text.is_empty()).map(str::to_owned);
    Filter {
        from: day(asked.text("from"), format, 0),
        before: day(asked.text("to"), format, 1),
        action: given("about"),
        actor: given("who"),
        from_above: asked.ticked("above"),
    }
}

/// An address with the same filters.
fn filtered(to: &str, asked: &Typed) -> Link {
    let names = ["from", "to", "about", "who", "above"];
    names.into_iter().fold(Link::to(to), |link, name| link.with(name, asked.text(name)))
}

/// `GET /a/{id}/audit`.
pub async fn show(State(console): State<Console>, place: Place, asked: Asked) -> Result<Response, Stop> {
    let filter = filter(&asked, place.format());
    let paging = Paging::of(&asked);
    let mut conn = console.gateway.db.read().await?;
    let mut all =
        storage::audit::page(&mut conn, place.account.id, &filter, paging.place(), PAGE + 1).await?;
    drop(conn);
    let has_more = all.len() as i64 > PAGE;
    all.truncate(PAGE as usize);
    let href = place.href("audit");
    let next = all.last().filter(|_| has_more).map(|entry| entry.id);
    let pager = paging.pager(&filtered(&href, &asked), next);
    let mut entries = Vec::with_capacity(all.len());
    for entry in all {
        entries.push(shown(&console, &place, entry).await?);
    }
    let is_filtered = filter != Filter::default();
    let empty = match is_filtered {
        true => {
            Empty::new("search", "Nothing fits", "No entry is of that kind, by that person, in that time.")
                .next("Show everything", &href)
        }
        false => Empty::new(
            "audit",
            "Nothing has been done yet",
            "Whatever is changed in this account stands here, by whom and from where. Nobody can change or delete it.",
        ),
    };
    page::draw(&Audit {
        filters: vec![
            asked.choice("about", "About", ABOUT),
            asked.field("who", "Who").of_type("search").example("Name or address"),
            asked.field("from", "From").of_type("date"),
            asked.field("to", "To").of_type("date"),
        ],
        from_above: asked.tick("above", "Only from above"),
        is_filtered,
        entries,
        empty,
        pager,
        csv_href: filtered(&place.href("audit.csv"), &asked).into(),
        href,
        shell: place.shell("Audit log").wide(),
    })
}

/// `GET /a/{id}/audit.csv`: all that fits, read part by part while it is sent.
pub async fn export(State(console): State<Console>, place: Place, asked: Asked) -> Result<Response, Stop> {
    let filter = filter(&asked, place.format());
    let log = Export::of(&console.gateway, place.account.id, filter);
    let parts = futures_util::stream::try_unfold(log, |mut log| async move {
        let part = log.next().await.inspect_err(|error| tracing::error!(%error, "an export was cut off"))?;
        Ok::<_, storage::Error>(part.map(|text| (text, log)))
    });
    let about = [
        (CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"audit-{}.csv\"", place.account.id)),
    ];
    Ok((about, Body::from_stream(parts)).into_response())
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn days_are_those_of_the_account() {
        let format = Format {
            time_zone: TimeZone::get("Europe/Berlin").unwrap(),
            currency: "EUR".into(),
            now: Moment(0),
        };
        assert_eq!(day("2026-11-27", &format, 0), Some(Moment::from_seconds(1_795_734_000)));
        assert_eq!(day("2026-11-27", &format, 1), Some(Moment::from_seconds(1_795_820_400)));
        assert_eq!(day("27.11.2026", &format, 0), None);
    }

    #[test]
    fn every_act_has_words() {
        assert_eq!(words_of("member.invite"), "invited somebody");
        assert_eq!(words_of("price_list.import"), "price list import");
    }
}
