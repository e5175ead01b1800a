//! Which columns the table of subaccounts shows: chosen by each person, remembered by their browser.

use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Redirect, Response};
use gateway::subaccounts::Sort;

use crate::door::Place;
use crate::form::Typed;
use crate::signed_in::{self, is_own_path};

const COOKIE: &str = "branchline-columns";

/// A column beside the name of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Its state.
    State,
    /// What it holds.
    Balance,
    /// Messages of thirty days.
    Messages,
    /// What they cost.
    Cost,
    /// How many arrived.
    Delivery,
    /// How many members it has.
    Members,
    /// When it sent last.
    LastSent,
    /// When it was created.
    Created,
    /// Its owner and address.
    Owner,
    /// Whether credit comes by itself.
    Automatic,
}

use Column::*;

impl Column {
    /// All, in the order they are shown.
    pub const ALL: [Column; 10] =
        [State, Balance, Messages, Cost, Delivery, Members, LastSent, Created, Owner, Automatic];

    /// What is shown to those who chose nothing.
    const USUAL: [Column; 6] = [State, Balance, Messages, Cost, Delivery, Members];

    /// The word in the cookie.
    pub fn as_str(self) -> &'static str {
        match self {
            State => "state",
            Balance => "balance",
            Messages => "messages",
            Cost => "cost",
            Delivery => "delivery",
            Members => "members",
            LastSent => "last",
            Created => "created",
            Owner => "owner",
            Automatic => "automatic",
        }
    }

    /// The head of the column.
    pub fn words(self) -> &'static str {
        match self {
            State => "State",
            Balance => "Balance",
            Messages => "SMS, 30 days",
            Cost => "Cost, 30 days",
            Delivery => "Delivered",
            Members => "Members",
            LastSent => "Last sent",
            Created => "Created",
            Owner => "Owner",
            Automatic => "Automatic transfer",
        }
    }

    /// What the table is sorted by when the head is chosen.
    pub fn sort(self) -> Option<Sort> {
        Some(match self {
            State => Sort::State,
            Balance => Sort::Balance,
            Messages => Sort::Messages,
            Cost => Sort::Cost,
            Delivery => Sort::Delivery,
            Members => Sort::Members,
            LastSent => Sort::LastSent,
            Created => Sort::Created,
            Owner | Automatic => return None,
        })
    }

    /// Whether it holds numbers, which stand on the right.
    pub fn is_number(self) -> bool {
        matches!(self, Balance | Messages | Cost | Delivery | Members)
    }

    /// The columns this browser chose.
    pub fn chosen(headers: &HeaderMap) -> Vec<Column> {
        let Some(words) = signed_in::cookie(headers, COOKIE) else { return Column::USUAL.to_vec() };
        let words: Vec<&str> = words.split('.').collect();
        Column::ALL.into_iter().filter(|column| words.contains(&column.as_str())).collect()
    }
}

/// `POST /a/{id}/subaccounts/columns`: remembers a choice, and goes back to the table.
pub async fn choose(place: Place, typed: Typed) -> Response {
    let ticked: Vec<&str> = typed.all("column").collect();
    let chosen = Column::ALL.into_iter().map(Column::as_str).filter(|word| ticked.contains(word));
    let words = chosen.collect::<Vec<_>>().join(".");
    let cookie = format!("{COOKIE}={words}; Path=/a; Max-Age=34560000; SameSite=Lax; HttpOnly");
    let back = Some(typed.text("back")).filter(|path| is_own_path(path)).map(str::to_owned);
    let back = back.unwrap_or_else(|| place.href("subaccounts"));
    ([(SET_COOKIE, cookie)], Redirect::to(&back)).into_response()
}

#[cfg(test)]
mod tests {
    use axum::http::header::COOKIE as SENT;

    use super::*;

    #[test]
    fn columns_are_those_of_the_cookie_in_their_own_order() {
        let mut headers = HeaderMap::new();
        assert_eq!(Column::chosen(&headers), Column::USUAL);
        headers.insert(SENT, "branchline-columns=owner.balance.nonsense".parse().unwrap());
        assert_eq!(Column::chosen(&headers), [Balance, Owner]);
        headers.insert(SENT, "branchline-columns=".parse().unwrap());
        assert_eq!(Column::chosen(&headers), []);
    }
}
