//! Moving credits by a form: what was typed, and what the books answered.

use domain::credits::Credits;
use domain::id::AccountId;
use gateway::credits::{TEXT_MAX, Transfer, TransferError};

use crate::door::Place;
use crate::error::Stop;
use crate::form::Typed;
use crate::sign_in::sentence;
use crate::subaccounts::create::amount_to_move;

/// Reads amount and reference from two fields.
pub fn read(typed: &mut Typed, amount: &str, reference: &str) -> Option<(Credits, String)> {
    let credits = typed.read(amount, amount_to_move);
    let words = typed.read(reference, |text| match text.chars().count() {
        count if count > TEXT_MAX => Err(format!("This is {count} characters long; the most is {TEXT_MAX}.")),
        _ => Ok(text.to_owned()),
    });
    Some((credits?, words?))
}

/// A transfer that the account of a page asks for.
pub fn asked(place: &Place, from: AccountId, to: AccountId, read: (Credits, String), once: &str) -> Transfer {
    Transfer {
        from,
        to,
        amount: read.0,
        reference: read.1,
        idempotency_key: Some(once.to_owned()),
        asked_by: Some(place.account.id),
    }
}

/// Why nothing was moved, in a sentence for the one who asked. `giver` is the name of who was to give.
pub fn refusal(place: &Place, giver: &str, error: TransferError) -> Result<String, Stop> {
    match error {
        TransferError::Storage(error) => Err(error.into()),
        other => Ok(words(place, giver, &other)),
    }
}

/// What is told where the books did not take one of many; why stands in the log.
pub const NOT_TAKEN: &str = "The books did not take it. Ask once more.";

/// The same for one of many: also when the books did not take it.
pub fn words(place: &Place, giver: &str, error: &TransferError) -> String {
    let format = place.format();
    match error {
        TransferError::Storage(error) => {
            tracing::warn!(%error, "one of many transfers was not booked");
            NOT_TAKEN.to_owned()
        }
        TransferError::Insufficient { available, amount, .. } => format!(
            "{giver} holds {} and cannot give {}.",
            format.money(Credits(available.0.max(0))),
            format.exact(*amount)
        ),
        TransferError::Closed(_) => "The account is closed; no credit moves into or out of it.".to_owned(),
        TransferError::KeyReused(_) => {
            "This form was sent before with other words. Load the page again to make another transfer."
                .to_owned()
        }
        other => sentence(&other),
    }
}
