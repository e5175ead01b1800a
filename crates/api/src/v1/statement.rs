//! `/v1/statement`: what an account's credit came from and went to.

use axum::Json;
use domain::ledger::{CauseKind, TransferCode};
use serde::{Deserialize, Serialize};
use storage::statement::{self, Cursor, Filter, Kind as Lines, Line};
use utoipa::{IntoParams, ToSchema};

use super::asked::Asked;
use super::cursor;
use super::problem::Problem;
use super::values::{Amount, Asking, Page, Time, limit};

/// What one cause did to the account's credit.
#[derive(Serialize, ToSchema)]
pub struct StatementLine {
    /// Its number; later ones have greater numbers.
    #[schema(example = 88012)]
    id: i64,
    /// When it was booked.
    created_at: Time,
    /// What for: `grant`, `promo`, `promo_expiry`, `transfer`, `auto_transfer`, `closing`, `charge`,
    /// `margin`, `refund`, `margin_refund` or `correction`.
    #[schema(example = "charge")]
    kind: &'static str,
    /// What the account gained; what it gave is below zero.
    #[schema(value_type = Amount, example = "-0.15")]
    amount: Amount,
    /// What it held after that, free credit included. Null where lines are left out by a filter.
    balance: Option<Amount>,
    /// The installation's currency (ISO 4217).
    #[schema(example = "EUR")]
    currency: String,
    /// The other account, where credit came from or went to one; else null.
    #[schema(example = 1900002)]
    account: Option<i64>,
    /// The message a refund is for, or the first of those a charge is for; else null.
    #[schema(example = 77000000001i64)]
    message: Option<i64>,
    /// Who did it.
    #[schema(example = "key 412 (shop)")]
    actor: String,
    /// What they wrote.
    #[schema(example = "December")]
    reference: String,
}

impl StatementLine {
    fn of(line: Line, currency: String) -> StatementLine {
        let about_messages = matches!(line.cause, CauseKind::Batch | CauseKind::Refund);
        StatementLine {
            id: line.id.0,
            created_at: Time(line.at),
            kind: line.code.as_str(),
            amount: Amount(line.amount),
            balance: line.balance.map(Amount),
            currency,
            account: line.other.map(|id| id.0),
            message: about_messages.then_some(line.cause_id),
            actor: line.actor,
            reference: line.reference,
        }
    }
}

/// Which lines.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Only lines of one kind: `moves` for all credit that was moved by somebody or by a rule, `usage` for
    /// all that messages cost and earned, or one of the words of `kind`.
    #[param(example = "moves")]
    kind: Option<String>,
    /// Booked at this time or later.
    from: Option<Time>,
    /// Booked earlier than this.
    before: Option<Time>,
    /// How many: 1 to 500.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// Where to go on: `next_cursor` of the part before.
    cursor: Option<String>,
}

/// Read the statement
///
/// What the account's credit came from and went to, the newest first, with what it held after each. What
/// was booked together is one line. A part may have fewer lines than asked for, and still be followed by
/// more: `next_cursor` decides.
#[utoipa::path(
    get,
    path = "/v1/statement",
    operation_id = "readStatement",
    tag = "Credits",
    params(Which),
    responses((status = 200, description = "A part of the statement.", body = Page<StatementLine>))
)]
pub async fn read(asked: Asked, Asking(which): Asking<Which>) -> Result<Json<Page<StatementLine>>, Problem> {
    let limit = limit(which.limit)?;
    let after: Option<Cursor> = cursor::read(&asked, which.cursor.as_deref())?.and_then(|at| at.parse().ok());
    let kind = match which.kind.as_deref() {
        None => Lines::All,
        Some("moves") => Lines::Moves,
        Some("usage") => Lines::Usage,
        Some(word) => {
            let known = || {
                let words = TransferCode::ALL.map(TransferCode::as_str).join(", ");
                Problem::field(
                    "kind",
                    format!("'{word}' is no kind of line; there are moves, usage, {words}"),
                )
            };
            Lines::One(TransferCode::parse(word).ok_or_else(known)?)
        }
    };
    let filter = Filter { kind, from: which.from.map(|at| at.0), before: which.before.map(|at| at.0) };
    let mut books = asked.gateway().db.snapshot().await?;
    let page = statement::page(&mut books, asked.account.id, &filter, after, limit as i64).await;
    books.end().await?;
    let page = page?;
    Ok(Json(Page {
        next_cursor: page.next.map(|next| cursor::write(&asked, &next.to_string())),
        items: page.lines.into_iter().map(|line| StatementLine::of(line, asked.currency())).collect(),
    }))
}
