//! The lines of a statement as people read them, wherever they are shown.

use std::collections::HashMap;

use domain::credits::Credits;
use domain::id::AccountId;
use domain::ledger::{CauseKind, TransferCode};
use gateway::statement::Line;

use crate::Console;
use crate::door::Place;
use crate::error::Stop;
use crate::format::{Format, Time};

/// A line.
#[derive(Clone, Debug)]
pub struct Shown {
    /// When.
    pub at: Time,
    /// What for.
    pub what: String,
    /// The other account, with its page where the person may see it.
    pub other: Option<(String, Option<String>)>,
    /// Who did it, and what they wrote.
    pub about: String,
    /// What was gained or given.
    pub amount: String,
    /// Whether something was gained.
    pub is_gain: bool,
    /// What there was after it.
    pub balance: Option<String>,
}

/// Lines with the names of the accounts they name.
pub async fn shown(console: &Console, place: &Place, lines: &[Line]) -> Result<Vec<Shown>, Stop> {
    let mut names: HashMap<AccountId, (String, Option<String>)> = HashMap::new();
    for id in lines.iter().filter_map(|line| line.other) {
        if names.contains_key(&id) {
            continue;
        }
        if let Some(account) = console.gateway.account(id).await? {
            let href = if place.account.is_above(&account) {
                Some(place.href(&format!("subaccounts/{id}")))
            } else {
                place.person.knows(&account.path).then(|| format!("/a/{id}"))
            };
            names.insert(id, (account.name().to_owned(), href));
        }
    }
    let format = place.format();
    Ok(lines
        .iter()
        .map(|line| Shown::of(line, line.other.and_then(|id| names.get(&id).cloned()), format))
        .collect())
}

impl Shown {
    fn of(line: &Line, other: Option<(String, Option<String>)>, format: &Format) -> Shown {
        Shown {
            at: format.time(line.at),
            what: words(line.code, line.amount, other.is_some()).to_owned(),
            other,
            about: about(line),
            amount: format.change(line.amount),
            is_gain: line.amount.is_positive(),
            balance: line.balance.map(|balance| format.exact(balance)),
        }
    }
}

/// What a line is for; where another account follows, it ends in a preposition.
fn words(code: TransferCode, amount: Credits, names_other: bool) -> &'static str {
    let gained = amount.is_positive();
    match (code, gained, names_other) {
        (TransferCode::Grant, ..) => "Credits added",
        (TransferCode::Promo, ..) => "Free credits",
        (TransferCode::PromoExpiry, ..) => "Free credits ended",
        (TransferCode::Transfer, true, true) => "From",
        (TransferCode::Transfer, false, true) => "To",
        (TransferCode::Transfer, ..) => "Transfer",
        (TransferCode::AutoTransfer, true, true) => "Automatic transfer from",
        (TransferCode::AutoTransfer, false, true) => "Automatic transfer to",
        (TransferCode::AutoTransfer, ..) => "Automatic transfer",
        (TransferCode::Closing, true, true) => "Back from closed account",
        (TransferCode::Closing, false, true) => "Account closed, back to",
        (TransferCode::Closing, ..) => "Account closed",
        (TransferCode::SharedUse, true, true) => "For messages, from the wallet of",
        (TransferCode::SharedUse, false, true) => "For messages of",
        (TransferCode::SharedUse, ..) => "For messages, from the shared wallet",
        (TransferCode::Charge, ..) => "Messages",
        (TransferCode::Margin, ..) => "Margin on messages of subaccounts",
        (TransferCode::Refund, ..) => "Refund of a message that never left",
        (TransferCode::MarginRefund, ..) => "Margin given back",
        (TransferCode::Correction, ..) => "Correction",
    }
}

fn about(line: &Line) -> String {
    let actor = match line.cause {
        // Messages are charged by the key or the person that sent them; rules need no name.
        CauseKind::AutoTransfer | CauseKind::SharedUse => "",
        _ => line.actor.as_str(),
    };
    match (actor, line.reference.as_str()) {
        ("" | "rule", reference) => reference.to_owned(),
        (actor, "") => actor.to_owned(),
        (actor, reference) => format!("{reference} · {actor}"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use domain::id::TransferId;
    use domain::moment::Moment;

    use super::*;

    /// Lines with what people wrote in them.
    pub fn sample() -> Vec<Shown> {
        let format = crate::page::Shell::sample("").format;
        let line = |code, amount| Line {
            id: TransferId(1),
            at: Moment::from_seconds(1_795_700_000),
            code,
            amount: Credits(amount),
            balance: Some(Credits(5_000_000)),
            other: Some(AccountId(1_900_002)),
            cause: CauseKind::Request,
            cause_id: 1,
            actor: "Eva <eva@example.com>".into(),
            reference: "<b>November</b>".into(),
        };
        TransferCode::ALL
            .into_iter()
            .flat_map(|code| [line(code, 12_500_000), line(code, -75_000)])
            .map(|line| Shown::of(&line, Some(("<i>Köln</i>".into(), Some("/a/1900002".into()))), &format))
            .collect()
    }

    #[test]
    fn a_line_says_which_way_credit_went() {
        let to = words(TransferCode::Transfer, Credits(-1), true);
        let from = words(TransferCode::AutoTransfer, Credits(1), true);
        assert_eq!((to, from), ("To", "Automatic transfer from"));
    }
}
