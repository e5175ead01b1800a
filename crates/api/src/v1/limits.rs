//! `/v1/accounts/{account}/limits`: what an account may send at the most, where to and as whom.

use axum::Json;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use domain::account::Account;
use domain::credits::Credits;
use domain::id::LimitId;
use domain::limit::{Reach, Rule};
use gateway::limits::{self, LimitError, Seen, Written};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::asked::Asked;
use super::problem::{FieldError, Kind, Problem};
use super::values::{Amount, Body, Named, Page, created};

/// What a limit is about.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// What is spent on one date.
    SpendPerDay,
    /// What is spent in one month.
    SpendPerMonth,
    /// Messages accepted within one hour of the clock.
    MessagesPerHour,
    /// Messages accepted on one date.
    MessagesPerDay,
    /// The only countries that may be sent to.
    Countries,
    /// The only senders that may be used.
    Senders,
}

impl LimitKind {
    fn as_str(self) -> &'static str {
        match self {
            LimitKind::SpendPerDay => "spend_per_day",
            LimitKind::SpendPerMonth => "spend_per_month",
            LimitKind::MessagesPerHour => "messages_per_hour",
            LimitKind::MessagesPerDay => "messages_per_day",
            LimitKind::Countries => "countries",
            LimitKind::Senders => "senders",
        }
    }
}

/// Whose use a limit is about.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitReach {
    /// The account's and that of all accounts below it, together.
    #[default]
    Together,
    /// That of each account below by itself, unless it or one between has a limit on the same thing.
    EachByDefault,
    /// That of each account below by itself, whatever else is set.
    EachEnforced,
}

impl LimitReach {
    fn of(reach: Reach) -> LimitReach {
        match reach {
            Reach::Together => LimitReach::Together,
            Reach::EachByDefault => LimitReach::EachByDefault,
            Reach::EachEnforced => LimitReach::EachEnforced,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            LimitReach::Together => "together",
            LimitReach::EachByDefault => "each_by_default",
            LimitReach::EachEnforced => "each_enforced",
        }
    }
}

/// A limit that bears on an account.
#[derive(Serialize, ToSchema)]
pub struct Limit {
    /// Its number.
    #[schema(example = 4021)]
    id: i64,
    /// What it is about: `spend_per_day`, `spend_per_month`, `messages_per_hour`, `messages_per_day`,
    /// `countries` or `senders`.
    #[schema(example = "spend_per_day")]
    kind: &'static str,
    /// Whose use it is about.
    reach: LimitReach,
    /// How it stands to the account asked for: `own`, `shared` (it lies on an account above, whose use
    /// this account's counts into), `inherited`, `overridden` (it does not count, because something
    /// nearer does), `enforced`, or `for_those_below`.
    #[schema(example = "own")]
    bearing: &'static str,
    /// The account it lies on.
    #[schema(example = 1900002)]
    account: i64,
    /// The account whose administrators set it; they and those above it can change it.
    #[schema(example = 1900001)]
    set_by: i64,
    /// Only messages to this country (ISO 3166); null is all.
    #[schema(example = "DE")]
    country: Option<String>,
    /// Only messages with this label; null is all.
    label: Option<String>,
    /// How much may be spent; null for limits of other kinds, and for those of accounts above the one
    /// that is acted in.
    amount: Option<Amount>,
    /// How many messages may be sent; null as `amount` is.
    messages: Option<i64>,
    /// What has been spent in the period that runs; null as `amount` is.
    used_amount: Option<Amount>,
    /// How many messages have been sent in it; null as `messages` is.
    used_messages: Option<i64>,
    /// The countries or the senders; null for limits of other kinds.
    list: Option<Vec<String>>,
    /// The installation's currency (ISO 4217).
    #[schema(example = "EUR")]
    currency: String,
}

impl Limit {
    fn of(seen: &Seen, currency: String) -> Limit {
        let limit = &seen.limit;
        let (mut country, mut label, mut list) = (None, None, None);
        let (mut amount, mut messages, mut used_amount, mut used_messages) = (None, None, None, None);
        match &limit.rule {
            Rule::Most { measure, country: of, label: with, .. } => {
                country = of.map(|country| country.as_str().to_owned());
                label = with.as_ref().map(|label| label.as_str().to_owned());
                let money = |number: i64| Amount(Credits(number));
                if measure.is_money() {
                    (amount, used_amount) = (seen.most().map(money), seen.used.map(money));
                } else {
                    (messages, used_messages) = (seen.most(), seen.used);
                }
            }
            Rule::Countries(all) => list = Some(all.iter().map(|c| c.as_str().to_owned()).collect()),
            Rule::Senders(all) => list = Some(all.clone()),
        }
        Limit {
            id: limit.id.0,
            kind: limit.rule.as_str(),
            reach: LimitReach::of(limit.reach),
            bearing: seen.bearing.as_str(),
            account: limit.account.0,
            set_by: limit.by.0,
            country,
            label,
            amount,
            messages,
            used_amount,
            used_messages,
            list,
            currency,
        }
    }
}

/// A limit to be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLimit {
    /// What it is about.
    kind: LimitKind,
    /// Whose use it is about; `together` when absent.
    #[serde(default)]
    reach: LimitReach,
    /// Only messages to this country (ISO 3166). For kinds that count.
    #[serde(default)]
    #[schema(min_length = 2, max_length = 2, example = "DE")]
    country: Option<String>,
    /// Only messages with this label. For kinds that count.
    #[serde(default)]
    #[schema(max_length = 100)]
    label: Option<String>,
    /// How much may be spent. Needed for `spend_per_day` and `spend_per_month`, and for no other.
    #[serde(default)]
    amount: Option<Amount>,
    /// How many messages may be sent. Needed for `messages_per_hour` and `messages_per_day`, and for no
    /// other.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    messages: Option<i64>,
    /// The countries (ISO 3166) or the senders. Needed for `countries` and `senders`, and for no other.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 300)]
    list: Option<Vec<String>>,
}

impl NewLimit {
    fn written(&self) -> Result<Written, Problem> {
        let kind = self.kind.as_str();
        let (money, counts) = match self.kind {
            LimitKind::SpendPerDay | LimitKind::SpendPerMonth => (true, true),
            LimitKind::MessagesPerHour | LimitKind::MessagesPerDay => (false, true),
            LimitKind::Countries | LimitKind::Senders => (false, false),
        };
        let given = [
            ("amount", self.amount.is_some(), money),
            ("messages", self.messages.is_some(), counts && !money),
            ("list", self.list.is_some(), !counts),
        ];
        for (field, is_given, is_needed) in given {
            if is_needed && !is_given {
                return Err(Problem::field(field, format!("a limit of the kind '{kind}' needs it")));
            }
            if is_given && !is_needed {
                return Err(Problem::field(field, format!("a limit of the kind '{kind}' has none")));
            }
        }
        for (field, is_given) in [("country", self.country.is_some()), ("label", self.label.is_some())] {
            if is_given && !counts {
                return Err(Problem::field(field, format!("a limit of the kind '{kind}' has none")));
            }
        }
        let amount = self.amount.map(|amount| amount.0.to_string());
        Ok(Written {
            kind: kind.to_owned(),
            reach: self.reach.as_str().to_owned(),
            country: self.country.clone().unwrap_or_default(),
            label: self.label.clone().unwrap_or_default(),
            most: amount.or_else(|| self.messages.map(|count| count.to_string())).unwrap_or_default(),
            list: self.list.clone().unwrap_or_default(),
        })
    }
}

/// List the limits
///
/// Every limit that bears on an account: its own, and those that come from accounts above it. What an
/// account sends counts against all of them; a message that does not fit is refused with its own code
/// and not charged.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/limits",
    operation_id = "listLimits",
    tag = "Limits",
    params(("account" = i64, Path, description = "The account that is acted in, or one below it.", minimum = 1)),
    responses((status = 200, description = "The limits, in one part.", body = Page<Limit>))
)]
pub async fn list(asked: Asked, Named(id): Named<i64>) -> Result<Json<Page<Limit>>, Problem> {
    let account = asked.target(id).await?;
    let seen = limits::of(asked.gateway(), &account, asked.account.id).await?;
    let items = seen.iter().map(|seen| Limit::of(seen, asked.currency())).collect();
    Ok(Json(Page { items, next_cursor: None }))
}

/// Set a limit
///
/// It counts from now on. One that the same account has set on the same thing (kind, reach, country and
/// label) is changed.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/limits",
    operation_id = "setLimit",
    tag = "Limits",
    params(("account" = i64, Path, description = "The account that is acted in, or one below it.", minimum = 1)),
    request_body = NewLimit,
    responses((status = 201, description = "The limit as it is now.", body = Limit))
)]
pub async fn set(
    asked: Asked,
    Named(id): Named<i64>,
    Body(new): Body<NewLimit>,
) -> Result<impl IntoResponse, Problem> {
    let account = asked.target(id).await?;
    let (written, actor) = (new.written()?, asked.actor_for(&account));
    let set = limits::set(asked.gateway(), account.id, asked.account.id, &written, &actor).await;
    let set = set.map_err(|error| refused(error, new.kind))?;
    let limit = as_seen(&asked, &account, set.id).await?;
    Ok(created(format!("/v1/accounts/{id}/limits/{}", limit.id), limit))
}

/// Read a limit
///
/// One limit that bears on an account, with what has been used of it.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/limits/{limit}",
    operation_id = "readLimit",
    tag = "Limits",
    params(
        ("account" = i64, Path, description = "The account that is acted in, or one below it.", minimum = 1),
        ("limit" = i64, Path, description = "The limit.", minimum = 1),
    ),
    responses((status = 200, description = "The limit.", body = Limit))
)]
pub async fn read(asked: Asked, Named((id, limit)): Named<(i64, i64)>) -> Result<Json<Limit>, Problem> {
    let account = asked.target(id).await?;
    as_seen(&asked, &account, LimitId(limit)).await.map(Json)
}

/// Take a limit away
///
/// What accounts above have set, only they can take away.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{account}/limits/{limit}",
    operation_id = "removeLimit",
    tag = "Limits",
    params(
        ("account" = i64, Path, description = "The account that is acted in, or one below it.", minimum = 1),
        ("limit" = i64, Path, description = "The limit.", minimum = 1),
    ),
    responses((status = 204, description = "It is gone."))
)]
pub async fn remove(asked: Asked, Named((id, limit)): Named<(i64, i64)>) -> Result<StatusCode, Problem> {
    let account = asked.target(id).await?;
    let actor = asked.actor_for(&account);
    let by = asked.account.id;
    let removed = limits::remove(asked.gateway(), account.id, by, LimitId(limit), &actor).await;
    removed.map_err(|error| refused(error, LimitKind::SpendPerDay))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn as_seen(asked: &Asked, account: &Account, limit: LimitId) -> Result<Limit, Problem> {
    let seen = limits::of(asked.gateway(), account, asked.account.id).await?;
    let found = seen.iter().find(|seen| seen.limit.id == limit);
    let found =
        found.ok_or_else(|| Problem::not_found(format!("limit {limit} of account {}", account.id)))?;
    Ok(Limit::of(found, asked.currency()))
}

fn refused(error: LimitError, kind: LimitKind) -> Problem {
    match error {
        LimitError::Storage(error) => error.into(),
        LimitError::NoAccount(id) => Problem::not_found(format!("account {id}")),
        LimitError::NotFound { account, limit } => {
            Problem::not_found(format!("limit {limit} of account {account}"))
        }
        LimitError::Closed(id) => Problem::new(Kind::AccountClosed, error).with("account", id.0),
        LimitError::FromAbove { by, .. } => Problem::new(Kind::PermissionMissing, error)
            .with("permission", format!("be an administrator of account {by}")),
        LimitError::TooMany(_) => Problem::new(Kind::LimitExceeded, error).with("limit", "limits"),
        LimitError::Fields(problems) => {
            let name = |field: limits::Field| match (field, kind) {
                (limits::Field::Most, LimitKind::MessagesPerHour | LimitKind::MessagesPerDay) => "messages",
                (limits::Field::Most, _) => "amount",
                (field, _) => field.as_str(),
            };
            let one = |problem: limits::Problem| FieldError {
                name: name(problem.field).to_owned(),
                reason: format!("{}; {}", problem.problem, problem.remedy),
            };
            Problem::fields(problems.into_iter().map(one).collect())
        }
    }
}
