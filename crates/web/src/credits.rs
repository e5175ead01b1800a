//! The credits of an account: what it holds, its statement, and moving credits from here.

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use domain::account::AccountState;
use domain::credits::Credits;
use domain::id::AccountId;
use domain::ledger::TransferCode;
use domain::permission::Action;
use gateway::clock::{day_of, number_of, start_of_day};
use gateway::credits::{self as moving, TEXT_MAX};
use gateway::overview;
use gateway::statement::{self, Cursor, Filter, Kind};
use gateway::subaccounts::{self, Table};

use crate::door::Place;
use crate::error::Stop;
use crate::form::{Asked, Field, Summary, Typed};
use crate::format::Time;
use crate::link::Link;
use crate::page::{self, Shell};
use crate::paging::Paging;
use crate::parts::{Empty, Figure, Pager};
use crate::sign_in::sentence;
use crate::statement::{Shown, shown};
use crate::worth::Worth;
use crate::{Console, events, flash, once, traffic, transfers};

/// Lines of a page.
const LINES: i64 = 50;
/// Accounts that are offered while typing.
const OFFERED: i64 = 100;
/// Days of which failed automatic transfers are told.
const FAILED_DAYS: u64 = 30;

#[derive(Template)]
#[template(path = "a/credits.html")]
struct Statement {
    shell: Shell,
    figures: Vec<Figure>,
    transfer: Option<String>,
    failed: Vec<Failed>,
    fields: Vec<Field>,
    own: String,
    export: String,
    lines: Vec<Shown>,
    has_balance: bool,
    caption: String,
    pager: Pager,
    searched: String,
    empty: Option<Empty>,
}

/// An automatic transfer that failed, with what can be done about it.
struct Failed {
    at: Time,
    words: String,
    action: Option<(&'static str, String)>,
}

/// What is chosen of a statement: by dates and kind.
struct Choice {
    filter: Filter,
    from: String,
    to: String,
    kind: String,
}

/// The kinds one can choose: word, what it is called, what it means to the books.
fn kinds() -> Vec<(&'static str, &'static str, Kind)> {
    use TransferCode::*;
    vec![
        ("", "Everything", Kind::All),
        ("moves", "Credits in and out", Kind::Moves),
        ("usage", "Messages and refunds", Kind::Usage),
        ("transfer", "Transfers", Kind::One(Transfer)),
        ("auto_transfer", "Automatic transfers", Kind::One(AutoTransfer)),
        ("grant", "Credits added", Kind::One(Grant)),
        ("promo", "Free credits", Kind::One(Promo)),
        ("refund", "Refunds", Kind::One(Refund)),
        ("margin", "Margin on subaccounts", Kind::One(Margin)),
        ("closing", "Closed accounts", Kind::One(Closing)),
    ]
}

impl Choice {
    /// Dates are those of the account, whole days. What cannot be read counts as not chosen.
    fn of(asked: &Typed, place: &Place) -> Choice {
        let zone = &place.format().time_zone;
        let date = |name: &str| asked.text(name).parse::<jiff::civil::Date>().ok();
        let (from, to) = (date("from"), date("to"));
        let start = |date: jiff::civil::Date| start_of_day(number_of(date), zone);
        let kind = kinds().into_iter().find(|(word, ..)| *word == asked.text("kind"));
        let (word, _, kind) = kind.unwrap_or(("", "", Kind::All));
        Choice {
            filter: Filter {
                kind,
                from: from.and_then(start),
                before: to.and_then(|date| date.tomorrow().ok()).and_then(start),
            },
            from: from.map(|date| date.to_string()).unwrap_or_default(),
            to: to.map(|date| date.to_string()).unwrap_or_default(),
            kind: word.to_owned(),
        }
    }

    fn link(&self, path: String) -> Link {
        Link::to(path).with("kind", &self.kind).with("from", &self.from).with("to", &self.to)
    }

    fn is_all(&self) -> bool {
        self.kind.is_empty() && self.from.is_empty() && self.to.is_empty()
    }
}

/// `GET /a/{id}/credits`: the statement.
pub async fn show(State(console): State<Console>, place: Place, asked: Asked) -> Result<Response, Stop> {
    let events = events::way(&console, &place).await?;
    let (gateway, format) = (&console.gateway, place.format());
    let choice = Choice::of(&asked, &place);
    let paging = Paging::of(&asked);
    let after: Option<Cursor> = paging.place();
    let found = statement::page(gateway, &place.account, &choice.filter, after, LINES).await?;
    let lines = shown(&console, &place, &found.lines).await?;
    let own = place.href("credits");
    let typed = Typed::of([("from", &*choice.from), ("to", &*choice.to), ("kind", &*choice.kind)]);
    let options = kinds().into_iter().map(|(word, words, _)| (word, words));
    let empty = lines.is_empty().then(|| match choice.is_all() && after.is_none() {
        true => {
            let words =
                "Credits that are added, handed out and spent stand here, each with what was left after it.";
            Empty::new("credits", "Nothing booked yet", words)
        }
        false => Empty::new("search", "Nothing was booked then", "Choose other dates, or another kind.")
            .next("Show everything", &own),
    });
    page::draw(&Statement {
        shell: place.shell("Credits").wide().live(events),
        figures: figures(&console, &place).await?,
        transfer: may_transfer(&console, &place).await?.then(|| place.href("credits/transfer")),
        failed: failed(&console, &place).await?,
        fields: vec![
            typed.field("from", "From").of_type("date"),
            typed.field("to", "To").of_type("date"),
            typed.choice("kind", "Kind", options),
        ],
        export: choice.link(place.href("credits/statement.csv")).into(),
        has_balance: lines.iter().any(|line| line.balance.is_some()),
        caption: format!("Statement of {}", place.account.name()),
        searched: found
            .searched_to
            .filter(|_| lines.is_empty())
            .map(|at| format!("Looked through back to {}.", format.date(at).words()))
            .unwrap_or_default(),
        pager: paging.pager(&choice.link(own.clone()), found.next),
        own,
        lines,
        empty,
    })
}

async fn figures(console: &Console, place: &Place) -> Result<Vec<Figure>, Stop> {
    let format = place.format();
    let told = overview::overview(&console.gateway, &place.account, false).await?;
    let worth = Worth::of(console, &place.path).await?;
    let balance = told.balance();
    let available = told.available();
    let worth = worth.map(|worth| worth.words(available, format)).unwrap_or_default();
    let mut figures =
        vec![Figure::new("Balance", format.money(balance)).note(worth), traffic::lasts(&told.own, available)];
    if told.promo.is_positive() {
        figures.push(Figure::new("Of it free credits", format.money(told.promo)).note("they are used first"));
    }
    if told.credit_line.is_positive() {
        figures.push(
            Figure::new("Credit line", format.money(told.credit_line)).note("how far below zero it may go"),
        );
    }
    if let Some(shared) = told.shared {
        figures.push(
            Figure::new("From the wallet above", format.money(shared))
                .note("what it may still use, if it is there"),
        );
    }
    if let Some(rule) = place.account.auto_transfer {
        let words = format!("whenever the balance is below {}", format.exact(rule.threshold));
        figures.push(Figure::new("Comes by itself", format.exact(rule.amount)).note(words));
    }
    Ok(figures)
}

/// Whether there is anybody credits could go to or come from by this person's word.
async fn may_transfer(console: &Console, place: &Place) -> Result<bool, Stop> {
    if !place.may(Action::MoveCredits) || place.account.state == AccountState::Closed {
        return Ok(false);
    }
    if place.account.parent.is_some() {
        return Ok(true);
    }
    let any = subaccounts::page(&console.gateway, &place.account, &Table::default(), None, 1).await?;
    Ok(!any.rows.is_empty())
}

async fn failed(console: &Console, place: &Place) -> Result<Vec<Failed>, Stop> {
    let since = console.gateway.clock.now().before(std::time::Duration::from_secs(FAILED_DAYS * 86_400));
    let told = statement::failed_transfers(&console.gateway, &place.account, since, 10).await?;
    let may_move = place.may(Action::MoveCredits);
    let failed = told.into_iter().map(|notice| {
        let below = account_in(&notice.text).filter(|id| *id != place.account.id);
        let hand_out = below
            .filter(|_| may_move)
            .map(|id| ("Hand out credits", place.href(&format!("subaccounts/{id}/credits"))));
        Failed { at: place.format().time(notice.created_at), words: sentence(&notice.text), action: hand_out }
    });
    Ok(failed.collect())
}

/// The account that credits were to come to: `.. to account 1900003: ..`.
fn account_in(text: &str) -> Option<AccountId> {
    let (_, rest) = text.split_once(" to account ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().map(AccountId)
}

/// `GET /a/{id}/credits/statement.csv`: the chosen lines as a file, however many there are.
pub async fn export(State(console): State<Console>, place: Place, asked: Asked) -> Result<Response, Stop> {
    let choice = Choice::of(&asked, &place);
    let zone = place.format().time_zone.clone();
    let begun = statement::export(&console.gateway, &place.account, choice.filter, zone);
    let pieces = futures_util::stream::try_unfold(begun, |mut export| async move {
        Ok::<_, storage::Error>(export.next().await?.map(|piece| (piece, export)))
    });
    let day = day_of(console.gateway.clock.now(), &place.format().time_zone);
    let name = format!("attachment; filename=\"credits-{}-{day}.csv\"", place.account.id);
    let about = [(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, name)];
    Ok((about, Body::from_stream(pieces)).into_response())
}

#[derive(Template)]
#[template(path = "a/credits/transfer.html")]
struct Transfer {
    shell: Shell,
    summary: Summary,
    own: String,
    back: String,
    once: String,
    ways: Option<Field>,
    to: Option<Field>,
    amount: Field,
    reference: Field,
}

/// `GET /a/{id}/credits/transfer`: the form.
pub async fn transfer_form(
    State(console): State<Console>,
    place: Place,
    asked: Asked,
) -> Result<Response, Stop> {
    let typed = Typed::of([("to", asked.text("to")), ("way", "down")]);
    let once = once::fresh(&place.actor(), console.gateway.clock.now());
    page::draw(&drawn(&console, &place, &typed, once).await?)
}

async fn drawn(console: &Console, place: &Place, typed: &Typed, once: String) -> Result<Transfer, Stop> {
    let (gateway, format) = (&console.gateway, place.format());
    let found = subaccounts::page(gateway, &place.account, &Table::default(), None, OFFERED).await?;
    let offered = found.rows.iter().map(|line| format!("{} · {}", line.account.id, line.account.name()));
    let above = place.path.iter().rev().nth(1).map(|account| account.name().to_owned());
    let (wallet, _) = storage::ledger::balance(&mut *gateway.db.read().await?, place.account.id).await?;
    let down = (!found.rows.is_empty())
        .then(|| ("down", "Hand out".to_owned(), "To an account below this one.".to_owned()));
    let up = above.map(|name| ("up", "Give back".to_owned(), format!("To {name}, the account above.")));
    let to =
        typed.field("to", "To which subaccount").offers(offered.collect()).example("Number or name").hint(
            if up.is_some() {
                "For handing out: a part of its name, or its number."
            } else {
                "A part of its name, or its number."
            },
        );
    let is_up_alone = down.is_none();
    Ok(Transfer {
        shell: place.shell("Move credits").under([("Credits", place.href("credits"))]),
        summary: typed.summary(),
        own: place.href("credits/transfer"),
        back: place.href("credits"),
        once,
        ways: up.map(|up| typed.cards("way", "Which way?", down.into_iter().chain([up]))),
        to: (!is_up_alone).then_some(to),
        amount: typed
            .field("amount", "Amount")
            .amount(format.currency_sign())
            .length_max(20)
            .required()
            .hint(format!(
                "{} holds {} that can be moved.",
                place.account.name(),
                format.money(Credits(wallet.0.max(0)))
            )),
        reference: typed
            .field("reference", "Reference")
            .length_max(TEXT_MAX)
            .hint("Stands in both statements."),
    })
}

/// `POST /a/{id}/credits/transfer`.
pub async fn transfer(
    State(console): State<Console>,
    place: Place,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let gateway = &console.gateway;
    let once = once::of(&typed, &place.actor(), gateway.clock.now());
    let is_up = typed.text("way") == "up" || (typed.text("way").is_empty() && typed.text("to").is_empty());
    let to = match place.account.parent {
        Some(parent) if is_up => gateway.account(parent).await?,
        _ => receiver(&console, &place, &mut typed).await?,
    };
    let read = transfers::read(&mut typed, "amount", "reference");
    if let (Some(to), Some(read)) = (to, read) {
        let words = place.format().exact(read.0);
        let asked = transfers::asked(&place, place.account.id, to.id, read, &once);
        match moving::transfer(gateway, &asked, &place.actor()).await {
            Ok(done) => {
                let words = match done.repeated {
                    true => "This was moved a moment ago, and not once more.".to_owned(),
                    false => format!("{words} moved to {}.", to.name()),
                };
                return Ok(flash::done(&place.href("credits"), &words));
            }
            Err(error) => {
                let why = transfers::refusal(&place, place.account.name(), error)?;
                typed.wrong("amount", why);
            }
        }
    }
    page::draw_again(&drawn(&console, &place, &typed, once).await?)
}

/// The account below that was named by its number or by its name.
async fn receiver(
    console: &Console,
    place: &Place,
    typed: &mut Typed,
) -> Result<Option<std::sync::Arc<domain::account::Account>>, Stop> {
    let text = typed.text("to").to_owned();
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    if let Ok(id) = digits.parse()
        && let Ok(account) = place.below(console, AccountId(id)).await
    {
        return Ok(Some(account));
    }
    if text.is_empty() {
        typed.wrong("to", "Write the name or the number of the subaccount.");
        return Ok(None);
    }
    let table = Table { all_below: true, search: text, ..Table::default() };
    let found = subaccounts::page(&console.gateway, &place.account, &table, None, 1).await?;
    match (found.total, found.rows.first()) {
        (1, Some(line)) => return Ok(console.gateway.account(line.account.id).await?),
        (0, _) => typed.wrong("to", "No subaccount has this number, or a name like this."),
        (count, _) => typed.wrong(
            "to",
            format!(
                "{} subaccounts fit. Write more of the name, or the number.",
                place.format().count(count)
            ),
        ),
    }
    Ok(None)
}

#[cfg(test)]
pub(crate) mod tests {
    use domain::moment::Moment;

    use super::*;

    pub fn sample() -> impl Template {
        let shell = Shell::sample("Credits");
        let typed = Typed::of([("from", "2026-11-01")]);
        Statement {
            figures: vec![Figure::new("Balance", "€1.00")],
            transfer: Some("/a/1/credits/transfer".into()),
            failed: vec![Failed {
                at: shell.format.time(Moment::from_seconds(1_795_700_000)),
                words: "No automatic transfer of <50.00>.".into(),
                action: Some(("Hand out credits", "/a/1/subaccounts/2/credits".into())),
            }],
            fields: vec![typed.field("from", "From").of_type("date")],
            own: "/a/1/credits".into(),
            export: "/a/1/credits/statement.csv".into(),
            lines: crate::statement::tests::sample(),
            has_balance: true,
            caption: "Statement of <b>".into(),
            pager: Pager { next: Some("/".into()), ..Pager::default() },
            searched: String::new(),
            empty: None,
            shell,
        }
    }

    pub fn sample_of_transfer() -> impl Template {
        let mut typed = Typed::of([("to", "<b>"), ("way", "down")]);
        typed.wrong("to", "3 subaccounts fit.");
        Transfer {
            shell: Shell::sample("Move credits"),
            summary: typed.summary(),
            own: "/a/1/credits/transfer".into(),
            back: "/a/1/credits".into(),
            once: "console.1".into(),
            ways: Some(typed.cards(
                "way",
                "Which way?",
                [("down", "Hand out", "Below"), ("up", "Give back", "<Up>")],
            )),
            to: Some(typed.field("to", "To").offers(vec!["1900003 · <Köln>".into()])),
            amount: typed.field("amount", "Amount").amount("€"),
            reference: typed.field("reference", "Reference"),
        }
    }

    #[test]
    fn a_notice_names_the_account_that_credits_were_to_come_to() {
        let text = "no automatic transfer of 50.00 to account 1900003: account 1900001 holds less than 50.00";
        assert_eq!(account_in(text), Some(AccountId(1_900_003)));
        assert_eq!(account_in("something else"), None);
    }
}
