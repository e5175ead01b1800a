//! The overview of an account: what it has and how long that lasts, what it sent, what needs somebody;
//! with accounts below it, the same for all of them and which stand out. What a role may not see is not
//! there.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use domain::credits::Credits;
use domain::permission::{Action, Verdict};
use gateway::overview::{self, Attention, Outlier, Overview, Striking};
use gateway::scope::Scope;
use gateway::{journal, overview::Tree};

use crate::chart::Chart;
use crate::door::Place;
use crate::error::Stop;
use crate::form::Asked;
use crate::format::{Format, Time};
use crate::link::Link;
use crate::page::{self, Shell};
use crate::parts::{Badge, Empty, Figure};
use crate::worth::Worth;
use crate::{Console, events, traffic};

/// How many of the latest messages are shown.
const MESSAGES: i64 = 8;

#[derive(Template)]
#[template(path = "a/overview.html")]
struct Page {
    shell: Shell,
    figures: Vec<Figure>,
    /// What needs somebody.
    tasks: Vec<Task>,
    /// Whose traffic is shown, where there are accounts below.
    scopes: Option<Scopes>,
    charts: Vec<Chart>,
    quiet: Option<Empty>,
    outliers: Vec<Striker>,
    outliers_shown: bool,
    subaccounts: Option<String>,
    messages: Option<Vec<Message>>,
    journal: Option<String>,
    no_messages: Empty,
}

/// Something that needs somebody, with the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Task {
    icon: &'static str,
    tone: &'static str,
    words: String,
    action: Option<(&'static str, String)>,
}

/// The choice between all accounts and this one.
struct Scopes {
    words: String,
    tree: String,
    own: String,
    is_tree: bool,
}

/// An account that stands out.
struct Striker {
    name: String,
    href: String,
    badge: Badge,
    words: String,
}

/// One of the latest messages.
struct Message {
    at: Time,
    to: String,
    text: String,
    state: Badge,
    price: String,
    href: Option<String>,
}

/// `GET /a/{id}`: the overview.
pub async fn show(State(console): State<Console>, place: Place, asked: Asked) -> Result<Response, Stop> {
    let gateway = &console.gateway;
    let events = events::way(&console, &place).await?;
    let sees_below = place.may(Action::SeeSubaccounts) && place.may(Action::SeeStatistics);
    let told = overview::overview(gateway, &place.account, sees_below).await?;
    let is_tree = told.tree.is_some() && asked.text("scope") != "own";
    let messages = if place.may(Action::SeeMessages) { Some(latest(&console, &place).await?) } else { None };
    let scope = if is_tree { Scope::Tree } else { Scope::Only };
    let behind = traffic::Behind::of(&console, &place, scope).await?;
    let figures = figures(&console, &place, &told, is_tree, &behind).await?;
    let (charts, quiet) = charts(&place, &told, is_tree, &behind);
    page::draw(&Page {
        figures,
        tasks: tasks(&place, &told),
        scopes: told.tree.as_ref().map(|tree| scopes(&place, tree, is_tree)),
        charts,
        quiet,
        outliers: told
            .tree
            .iter()
            .flat_map(|tree| tree.outliers.iter())
            .map(|one| striker(one, &place))
            .collect(),
        outliers_shown: told.tree.is_some(),
        subaccounts: told.tree.as_ref().and_then(|_| place.way_to("subaccounts", Action::SeeSubaccounts)),
        messages,
        journal: place.way_to("messages", Action::SeeMessages),
        no_messages: no_messages(&place),
        shell: place.shell("Overview").live(events),
    })
}

async fn figures(
    console: &Console,
    place: &Place,
    told: &Overview,
    is_tree: bool,
    behind: &traffic::Behind,
) -> Result<Vec<Figure>, Stop> {
    let format = place.format();
    let mut figures = Vec::new();
    if place.may(Action::SeeBalance) {
        let balance = told.balance();
        let available = told.available();
        let worth = Worth::of(console, &place.path).await?;
        let worth = worth.map(|worth| worth.words(available, format)).unwrap_or_default();
        let mut figure = Figure::new("Balance", format.money(balance)).note(worth);
        if let Some(href) = place.way_to("credits", Action::SeeCredits) {
            figure = figure.href(href);
        }
        figures.push(figure);
        figures.push(traffic::lasts(&told.own, available));
        if let Some(tree) = &told.tree {
            let held = Credits(tree.together.wallets.0.saturating_add(tree.together.promo.0));
            let accounts = format.many(tree.together.accounts, "account", "accounts");
            figures.push(
                Figure::new("In all accounts", format.money(held))
                    .note(format!("{accounts}, this one included")),
            );
        }
    }
    if place.may(Action::SeeStatistics) {
        let shown = shown(told, is_tree);
        let sent = traffic::sent(shown, format);
        figures.push(match behind.all(shown) {
            Some(href) => sent.href(href),
            None => sent,
        });
        figures.push(traffic::delivered(shown, format));
        if place.may(Action::SeeBalance) {
            figures.push(traffic::cost(shown, format));
        }
    }
    Ok(figures)
}

fn shown(told: &Overview, is_tree: bool) -> &overview::Traffic {
    told.tree.as_ref().filter(|_| is_tree).map_or(&told.own, |tree| &tree.traffic)
}

fn charts(
    place: &Place,
    told: &Overview,
    is_tree: bool,
    behind: &traffic::Behind,
) -> (Vec<Chart>, Option<Empty>) {
    if !place.may(Action::SeeStatistics) {
        return (Vec::new(), None);
    }
    let (shown, format) = (shown(told, is_tree), place.format());
    if shown.days.iter().all(|(_, counts)| counts.accepted == 0) {
        let empty = Empty::new(
            "statistics",
            "Nothing sent in 30 days",
            "Once messages go out, each day stands here with what arrived.",
        );
        let empty =
            match (place.way_to("send", Action::SendMessages), place.way_to("keys", Action::ManageKeys)) {
                (Some(href), _) => empty.next("Send a message", href),
                (None, Some(href)) => empty.next("Create an API key", href),
                _ => empty,
            };
        return (Vec::new(), Some(empty));
    }
    (
        vec![
            traffic::messages_chart("sent", shown, Some(behind), format),
            traffic::delivery_chart("rate", shown, Some(behind), format),
        ],
        None,
    )
}

fn scopes(place: &Place, tree: &Tree, is_tree: bool) -> Scopes {
    let name = place.account.name();
    let below = (tree.together.accounts - 1).max(0);
    let words = if is_tree {
        format!("{name} and {} below it", place.format().many(below, "account", "accounts"))
    } else {
        format!("{name} alone, without the accounts below it")
    };
    Scopes { words, tree: place.href(""), own: format!("{}?scope=own", place.href("")), is_tree }
}

fn tasks(place: &Place, told: &Overview) -> Vec<Task> {
    told.attention.iter().filter_map(|attention| task(place, attention)).collect()
}

/// What needs somebody, for those who may see it, with what solves it for those who may do it.
fn task(place: &Place, attention: &Attention) -> Option<Task> {
    let format = place.format();
    let task = |icon, tone, words: String, action| Some(Task { icon, tone, words, action });
    let to = |words, page, action| place.way_to(page, action).map(|href| (words, href));
    match attention {
        // The page says it above everything else.
        Attention::NotActive(..) => None,
        Attention::NoCredit | Attention::Runway(_) if !place.may(Action::SeeBalance) => None,
        Attention::NoCredit => task(
            "credits",
            "bad",
            format!("The balance is used up: nothing is sent. {}", more_credits(place)),
            from_above(place),
        ),
        Attention::Runway(days) => {
            let lasts = match days {
                0 => "for less than a day".to_owned(),
                days => format!("for about {}", format.many(*days, "day", "days")),
            };
            let words =
                format!("The balance lasts {lasts} at the pace of the last 14 days. {}", more_credits(place));
            task("credits", "warn", words, from_above(place))
        }
        Attention::TransferFailed(at, _) if place.may(Action::SeeCredits) => {
            let words = format!("An automatic transfer failed {}.", format.ago(*at).words());
            task("transfer", "bad", words, to("See why", "credits", Action::SeeCredits))
        }
        Attention::RefundsWaiting(count) if place.may(Action::SeeCredits) => {
            let refunds = format.many(*count, "refund waits", "refunds wait");
            task(
                "clock",
                "warn",
                format!("{refunds} until an account above can give its margin back."),
                to("See the statement", "credits", Action::SeeCredits),
            )
        }
        Attention::DeliveryDropped(now, before) if place.may(Action::SeeStatistics) => {
            let share = |millionths: i64| format.percent(millionths, 1_000_000);
            let words = format!(
                "{} of the messages of 7 days arrived; in the 4 weeks before it was {}.",
                share(*now),
                share(*before)
            );
            let look = to("Look at the failed ones", "messages", Action::SeeMessages)
                .map(|(words, href)| {
                    let since = format.now.before(std::time::Duration::from_secs(6 * 86_400));
                    let from = gateway::clock::date_of(gateway::clock::day_of(since, &format.time_zone));
                    let from = from.map(|date| date.to_string()).unwrap_or_default();
                    (words, Link::to(href).with("state", "failed").with("from", from).into())
                })
                .or_else(|| to("See the statistics", "statistics", Action::SeeStatistics));
            task("statistics", "warn", words, look)
        }
        Attention::KeyEnds(_, label, at) if place.may(Action::SeeKeys) => {
            let words = format!(
                "The API key “{label}” ends {}. Programs that use it are refused then.",
                format.ago(*at).words()
            );
            task("key", "warn", words, to("Replace it", "keys", Action::ManageKeys))
        }
        Attention::AccessRequested(count) if place.may(Action::ManageAccess) => {
            let words = format!(
                "{} for access to this account.",
                format.many(*count, "person from above asks", "people from above ask")
            );
            task("access", "warn", words, to("Decide", "access", Action::ManageAccess))
        }
        Attention::InvitationsOpen(count) if place.may(Action::SeeMembers) => {
            let words =
                format!("{} for an answer.", format.many(*count, "invitation waits", "invitations wait"));
            task("mail", "calm", words, to("See them", "members", Action::SeeMembers))
        }
        Attention::LowBelow(count) => {
            let words = format!(
                "{} less left than a week of what they use.",
                format.many(*count, "subaccount has", "subaccounts have")
            );
            let low = place.way_to("subaccounts", Action::SeeSubaccounts);
            task(
                "credits",
                "warn",
                words,
                low.map(|href| ("Hand out credits", format!("{href}?below=all&low=1&sort=balance"))),
            )
        }
        Attention::SuspendedBelow(count) => {
            let words = format!("{} suspended.", format.many(*count, "subaccount is", "subaccounts are"));
            let all = place.way_to("subaccounts", Action::SeeSubaccounts);
            task(
                "lock",
                "calm",
                words,
                all.map(|href| ("See them", format!("{href}?below=all&state=suspended"))),
            )
        }
        _ => None,
    }
}

/// Where more credit comes from.
fn more_credits(place: &Place) -> String {
    match place.path.iter().rev().nth(1) {
        Some(above) => format!("Credits come from {}.", above.name()),
        None => "Credits are added by the operator of this installation.".to_owned(),
    }
}

/// The page above where somebody who may do so hands credits out to this account.
fn from_above(place: &Place) -> Option<(&'static str, String)> {
    let above = place.path.iter().rev().nth(1)?;
    let verdict = domain::permission::may(&place.person.standings, Action::MoveCredits, &above.path, false);
    let here = place.account.id;
    matches!(verdict, Verdict::Own | Verdict::Above(_))
        .then(|| ("Hand out credits", format!("/a/{}/subaccounts/{here}/credits", above.id)))
}

fn striker(one: &Outlier, place: &Place) -> Striker {
    let format = place.format();
    let (week, before) = (format.count(one.week.accepted), format.count(one.before.accepted * 7 / 23));
    let share = |counts: &gateway::statistics::Counts| {
        format.percent(counts.delivered, counts.delivered + counts.failed)
    };
    let (badge, words) = match one.what {
        Striking::More => {
            (Badge::new("busy", "much more"), format!("{week} messages in 7 days, usually about {before}"))
        }
        Striking::Less => {
            (Badge::new("warn", "much less"), format!("{week} messages in 7 days, usually about {before}"))
        }
        Striking::Silent => {
            (Badge::new("warn", "silent"), format!("nothing in 7 days, usually about {before} messages"))
        }
        Striking::Undelivered => {
            let (now, then) = (share(&one.week), share(&one.before));
            (Badge::new("bad", "fewer arrive"), format!("{now} delivered in 7 days, {then} before"))
        }
    };
    Striker {
        name: one.name.clone(),
        href: place.href(&format!("subaccounts/{}", one.account)),
        badge,
        words,
    }
}

async fn latest(console: &Console, place: &Place) -> Result<Vec<Message>, Stop> {
    let search = journal::Search::default();
    let found =
        journal::page(&console.gateway, &place.account, Scope::Only, &search, None, MESSAGES, &place.actor())
            .await?;
    let messages = found.map(|found| found.messages).unwrap_or_default();
    let journal = place.way_to("messages", Action::SeeMessages);
    let sees_price = place.may(Action::SeePrices);
    Ok(messages
        .into_iter()
        .map(|sent| Message::of(&sent, place.format(), journal.as_deref(), sees_price))
        .collect())
}

impl Message {
    fn of(sent: &journal::Sent, format: &Format, journal: Option<&str>, sees_price: bool) -> Message {
        Message {
            at: format.ago(sent.fate.created_at),
            to: format.phone(sent.recipient),
            text: sent.text.chars().take(140).collect(),
            state: sent.fate.status.into(),
            price: if sees_price { format.exact(sent.price) } else { String::new() },
            href: journal.map(|journal| format!("{journal}/{}", sent.fate.id)),
        }
    }
}

fn no_messages(place: &Place) -> Empty {
    let empty = Empty::new(
        "send",
        "No messages yet",
        "The newest messages of this account stand here, each with what became of it.",
    );
    match place.way_to("send", Action::SendMessages) {
        Some(href) => empty.next("Send the first one", href),
        None => empty,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub fn sample() -> impl Template {
        let shell = Shell::sample("Overview");
        let traffic = traffic::tests::sample();
        Page {
            figures: vec![
                traffic::sent(&traffic, &shell.format),
                traffic::delivered(&traffic, &shell.format),
            ],
            tasks: vec![Task {
                icon: "key",
                tone: "warn",
                words: "The API key “<b>shop</b>” ends.".into(),
                action: Some(("Replace it", "/a/1/keys".into())),
            }],
            scopes: Some(Scopes {
                words: "<All>".into(),
                tree: "/a/1".into(),
                own: "/a/1?scope=own".into(),
                is_tree: true,
            }),
            charts: vec![
                traffic::messages_chart("sent", &traffic, None, &shell.format),
                traffic::delivery_chart("rate", &traffic, None, &shell.format),
            ],
            quiet: None,
            outliers: vec![Striker {
                name: "<i>Köln</i>".into(),
                href: "/a/1/subaccounts/2".into(),
                badge: Badge::new("warn", "silent"),
                words: "nothing in 7 days".into(),
            }],
            outliers_shown: true,
            subaccounts: Some("/a/1/subaccounts".into()),
            messages: Some(vec![Message {
                at: shell.format.ago(shell.format.now),
                to: "+49 151".into(),
                text: "<script>alert(1)</script>".into(),
                state: Badge::new("good", "delivered"),
                price: "€0.075".into(),
                href: Some("/a/1/messages/7".into()),
            }]),
            journal: Some("/a/1/messages".into()),
            no_messages: Empty::new("send", "No", "yet"),
            shell,
        }
    }
}
