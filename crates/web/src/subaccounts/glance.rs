//! One account below at a glance, and what becomes of it: its figures, its facts, its state.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use domain::account::AccountState;
use domain::permission::Action;
use gateway::accounts::REASON_MAX;
use gateway::overview::{self, Overview};
use gateway::scope::Scope;
use gateway::subaccounts::{self, Subaccount};

use super::below::{Below, Head};
use crate::chart::Chart;
use crate::door::Place;
use crate::error::Stop;
use crate::form::{Field, Summary, Typed};
use crate::format::Format;
use crate::link::Link;
use crate::page::{self, Shell};
use crate::parts::{Empty, Figure};
use crate::statistics::TREE_OF;
use crate::worth::Worth;
use crate::{Console, traffic};

#[derive(Template)]
#[template(path = "a/subaccounts/glance.html")]
struct Glance {
    shell: Shell,
    head: Head,
    figures: Vec<Figure>,
    sums: String,
    charts: Vec<Chart>,
    empty: Option<Empty>,
    facts: Vec<Fact>,
    acts: Option<Acts>,
}

/// Something to know about an account, with where to find more.
struct Fact {
    label: &'static str,
    words: String,
    href: Option<String>,
}

/// What can be made of its state.
struct Acts {
    summary: Summary,
    own: String,
    /// The reason, where it can be suspended.
    suspend: Option<Field>,
    /// Whether the operator has suspended it, which only they lift.
    is_locked: bool,
    may_activate: bool,
    may_reopen: bool,
    may_close: bool,
}

/// `GET /a/{id}/subaccounts/{child}`: the account at a glance.
pub async fn show(State(console): State<Console>, place: Place, below: Below) -> Result<Response, Stop> {
    page::draw(&drawn(&console, &place, &below, &Typed::default()).await?)
}

/// The page once more, with what was typed into the form for its state.
pub async fn again(console: &Console, place: &Place, below: &Below, typed: &Typed) -> Result<Response, Stop> {
    page::draw_again(&drawn(console, place, below, typed).await?)
}

async fn drawn(console: &Console, place: &Place, below: &Below, typed: &Typed) -> Result<Glance, Stop> {
    let gateway = &console.gateway;
    let line = subaccounts::one(gateway, &place.account, below.account.id).await?.ok_or(Stop::NotThere)?;
    let told = overview::overview(gateway, &below.account, true).await?;
    let worth = Worth::of(console, &below.path).await?;
    let locked = storage::accounts::operator_lock(&mut *gateway.db.read().await?, below.account.id).await?;
    let format = place.format();
    let shown = told.tree.as_ref().map_or(&told.own, |tree| &tree.traffic);
    let id = below.account.id;
    let scope = if told.tree.is_some() { Scope::TreeOf(id) } else { Scope::One(id) };
    let behind = traffic::Behind::of(console, place, scope).await?;
    let is_empty = shown.recent.accepted == 0 && shown.before.accepted == 0;
    let charts = vec![
        traffic::messages_chart("sent", shown, Some(&behind), format),
        traffic::delivery_chart("rate", shown, Some(&behind), format),
    ];
    let nothing = || {
        let words = "What it sends stands here by day, with what arrived and what it cost.";
        Empty::new("send", "Nothing sent in 60 days", words)
    };
    Ok(Glance {
        shell: below.shell("Overview"),
        head: below.head(""),
        figures: figures(&told, worth, format),
        sums: match &told.tree {
            Some(_) => format!(
                "Sums of {} and {} below it.",
                below.account.name(),
                format.many(line.children, "account", "accounts")
            ),
            None => String::new(),
        },
        charts: if is_empty { Vec::new() } else { charts },
        empty: is_empty.then(nothing),
        facts: facts(&line, place, below, format),
        acts: place.may(Action::ManageSubaccounts).then(|| Acts::of(below, typed, locked)),
    })
}

fn figures(told: &Overview, worth: Option<Worth>, format: &Format) -> Vec<Figure> {
    let shown = told.tree.as_ref().map_or(&told.own, |tree| &tree.traffic);
    let balance = told.balance();
    let note = worth.map(|worth| worth.words(balance, format)).unwrap_or_default();
    vec![
        Figure::new("Balance", format.money(balance)).note(note),
        traffic::lasts(&told.own, balance),
        traffic::sent(shown, format),
        traffic::delivered(shown, format),
        traffic::cost(shown, format),
    ]
}

fn facts(line: &Subaccount, place: &Place, below: &Below, format: &Format) -> Vec<Fact> {
    let account = &line.account;
    let fact = |label, words: String| Fact { label, words, href: None };
    let mut facts = vec![
        fact("Number", account.id.to_string()),
        fact("Owner", account.owner.clone()),
        fact("E-mail", account.email.as_str().to_owned()),
        fact("Created", format.date(account.created_at).words().to_owned()),
        fact(
            "Last sent",
            line.last_at.map_or_else(|| "never".to_owned(), |at| format.ago(at).words().to_owned()),
        ),
    ];
    if let Some(preset) = account.settings.preset {
        facts.push(fact("Created as", super::capital(preset.as_str())));
    }
    facts.push(Fact {
        label: "Members",
        words: match line.members {
            0 => "none: people from above look after it".to_owned(),
            count => format.many(count, "member", "members"),
        },
        href: below.may(Action::SeeMembers).then(|| below.href("members")),
    });
    if place.may(Action::SeeStatistics) {
        let scope =
            if line.children > 0 { format!("{TREE_OF}{}", account.id) } else { account.id.to_string() };
        let href = Link::to(place.href("statistics")).with("scope", scope);
        let words = "by day, country, label and sender".to_owned();
        facts.push(Fact { label: "Statistics", words, href: Some(href.into()) });
    }
    if line.children > 0 {
        let words = format.many(line.children, "account", "accounts");
        let href = format!("/a/{}/subaccounts", account.id);
        facts.push(Fact {
            label: "Below it",
            words,
            href: below.may(Action::SeeSubaccounts).then_some(href),
        });
    }
    facts
}

impl Acts {
    fn of(below: &Below, typed: &Typed, is_locked: bool) -> Acts {
        let reason =
            || {
                typed.field("reason", "Why is it suspended?").length_max(REASON_MAX).required().hint(
                    "Its members read this. It can be read and exported, takes STOP, and sends nothing.",
                )
            };
        let state = below.account.state;
        Acts {
            summary: typed.summary(),
            own: below.href(""),
            suspend: (state == AccountState::Active).then(reason),
            is_locked,
            may_activate: state == AccountState::Suspended && !is_locked,
            may_reopen: state == AccountState::Closing && !is_locked,
            may_close: state < AccountState::Closing,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub fn sample() -> impl Template {
        let shell = Shell::sample("Overview");
        let traffic = traffic::tests::sample();
        Glance {
            figures: vec![traffic::lasts(&traffic, domain::credits::Credits(5))],
            charts: vec![traffic::messages_chart("sent", &traffic, None, &shell.format)],
            head: Head::sample("overview"),
            sums: "Sums of <i>two</i>.".into(),
            empty: None,
            facts: vec![Fact { label: "Owner", words: "<script>".into(), href: Some("/".into()) }],
            acts: Some(Acts {
                summary: Summary::default(),
                own: "/a/1/subaccounts/2".into(),
                suspend: Some(Typed::of([("reason", "<b>")]).field("reason", "Why?")),
                is_locked: true,
                may_activate: true,
                may_reopen: true,
                may_close: true,
            }),
            shell,
        }
    }
}
