//! `/v1/accounts`: the account that is acted in and those below it: listing, creating, renaming. What
//! becomes of one later is in [`super::lifecycle`].

use axum::Json;
use axum::response::IntoResponse;
use domain::account::{AccountState, AutoTransfer, Email, Preset};
use domain::credits::Credits;
use domain::id::AccountId;
use domain::key::Scope;
use domain::member::Access;
use gateway::accounts::{self, Beginning, CreateError, NewAccount as New};
use gateway::settings::{self, Change};
use gateway::subaccounts::{self, Sort, Subaccount, Table};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::asked::Asked;
use super::automatic::{AutomaticTransfer, NewAutomaticTransfer};
use super::balance::Balance;
use super::problem::{Kind, Problem};
use super::statistics::Sums;
use super::values::{Amount, Asking, Body, Named, Time, created, limit, present};
use super::{cursor, invitations};

/// An account.
#[derive(Serialize, ToSchema)]
pub struct Account {
    /// Its number.
    #[schema(example = 1900002)]
    id: i64,
    /// The account above; null for a main account, and where that is out of sight.
    #[schema(example = 1900001)]
    parent: Option<i64>,
    /// From the account that is acted in down to this one, both included.
    #[schema(example = json!([1900001, 1900002]))]
    path: Vec<i64>,
    /// The company's name; null where it has none.
    #[schema(example = "Muster GmbH, Hamburg")]
    company: Option<String>,
    /// The owner's first and last name.
    #[schema(example = "Erika Muster")]
    owner: String,
    /// The address that is its identity.
    #[schema(format = "email", example = "hamburg@muster.example")]
    email: String,
    /// Its own state: `active`, `suspended`, `closing` (can be reopened) or `closed`.
    #[schema(example = "active")]
    state: &'static str,
    /// The state that counts: the worst of its own and those of the accounts above.
    #[schema(example = "active")]
    effective_state: &'static str,
    /// Who or what put it in its own state, and why; null while it is active.
    state_reason: Option<String>,
    /// What it was created as: `customer`, `department` or `branch`; null where that was not said.
    #[schema(example = "branch")]
    preset: Option<&'static str>,
    /// How it takes visits from above: `open`, `notify` or `ask`.
    #[schema(example = "open")]
    access: &'static str,
    /// What it has.
    balance: Balance,
    /// When credit comes by itself from the account above; null where it does not.
    automatic_transfer: Option<AutomaticTransfer>,
    /// What it sent itself in the last thirty days, today included.
    last_30_days: Sums,
    /// When it sent last; null while it never did.
    last_sent_at: Option<Time>,
    /// How many members it has.
    #[schema(example = 3)]
    members: i64,
    /// How many accounts stand right below it.
    #[schema(example = 0)]
    children: i64,
    /// When it was created.
    created_at: Time,
}

impl Account {
    /// An account as one sees it who acts in another (or the same), whose path this begins with.
    fn of(asked: &Asked, row: &Subaccount) -> Account {
        let account = &row.account;
        let seen = account.path.iter().skip_while(|id| **id != asked.account.id);
        let path: Vec<i64> = seen.map(|id| id.0).collect();
        Account {
            id: account.id.0,
            parent: account.parent.map(|id| id.0).filter(|id| path.contains(id)),
            path,
            company: account.company.clone(),
            owner: account.owner.clone(),
            email: account.email.as_str().to_owned(),
            state: account.state.as_str(),
            effective_state: row.effective.as_str(),
            state_reason: account.state_reason.clone().filter(|_| account.state != AccountState::Active),
            preset: account.settings.preset.map(Preset::as_str),
            access: account.settings.access.as_str(),
            balance: Balance::of(account, row.wallet, row.promo, None, asked.currency()),
            automatic_transfer: account
                .auto_transfer
                .map(|rule| AutomaticTransfer::of(rule, asked.currency())),
            last_30_days: Sums::of(&row.recent),
            last_sent_at: row.last_at.map(Time),
            members: row.members,
            children: row.children,
            created_at: Time(account.created_at),
        }
    }

    /// An account as the books have it now.
    pub async fn now(asked: &Asked, id: AccountId) -> Result<Account, Problem> {
        let row = subaccounts::one(asked.gateway(), &asked.account, id).await?;
        let row = row.ok_or_else(|| Problem::not_found(format!("account {id}")))?;
        Ok(Account::of(asked, &row))
    }
}

/// A part of the accounts.
#[derive(Serialize, ToSchema)]
pub struct Accounts {
    /// The accounts, in the order that was asked for.
    items: Vec<Account>,
    /// Where the next part begins; null at the end.
    next_cursor: Option<String>,
    /// How many there are in all parts.
    #[schema(example = 214)]
    total: i64,
}

/// Which accounts, and in which order.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Whether also those further down than right below.
    #[serde(default)]
    all_below: bool,
    /// Only those whose company, owner, e-mail address or number holds this, whatever its case.
    #[param(example = "hamburg")]
    search: Option<String>,
    /// Only those in this state of their own: `active`, `suspended`, `closing` or `closed`. Without it,
    /// all that are not closed.
    #[param(example = "active")]
    state: Option<String>,
    /// Only those that have less left than they use in a week.
    #[serde(default)]
    low: bool,
    /// The order: `name` (or nothing), `created`, `balance`, `messages`, `cost`, `delivery`, `state`, `members`
    /// or `last_sent`; messages, cost and delivery are those of the last thirty days. With `-` before it,
    /// the greatest first.
    #[param(example = "-messages")]
    sort: Option<String>,
    /// How many: 1 to 500.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// Where to go on: `next_cursor` of the part before.
    cursor: Option<String>,
}

impl Which {
    fn table(&self) -> Result<Table, Problem> {
        let state = self.state.as_deref().map(|word| {
            let known = AccountState::ALL.into_iter().find(|state| state.as_str() == word);
            known.ok_or_else(|| {
                let words = AccountState::ALL.map(AccountState::as_str).join(", ");
                Problem::field("state", format!("'{word}' is no state; there are {words}"))
            })
        });
        let word = self.sort.as_deref().unwrap_or(Sort::Name.as_str());
        let (word, descending) = word.strip_prefix('-').map_or((word, false), |word| (word, true));
        let sort = Sort::parse(word).ok_or_else(|| {
            let words = Sort::ALL.map(Sort::as_str).join(", ");
            Problem::field("sort", format!("'{word}' is no order; there are {words}"))
        })?;
        let search = self.search.clone().unwrap_or_default();
        Ok(Table {
            all_below: self.all_below,
            search,
            state: state.transpose()?,
            low: self.low,
            sort,
            descending,
        })
    }
}

/// List accounts
///
/// The accounts below the one that is acted in: right below, or at any distance.
#[utoipa::path(
    get,
    path = "/v1/accounts",
    operation_id = "listAccounts",
    tag = "Accounts",
    params(Which),
    responses((status = 200, description = "A part of the list.", body = Accounts))
)]
pub async fn list(asked: Asked, Asking(which): Asking<Which>) -> Result<Json<Accounts>, Problem> {
    let limit = limit(which.limit)?;
    let after = cursor::read(&asked, which.cursor.as_deref())?;
    let table = which.table()?;
    let page =
        subaccounts::page(asked.gateway(), &asked.account, &table, after.as_deref(), limit as i64).await?;
    Ok(Json(Accounts {
        next_cursor: page.next.map(|next| cursor::write(&asked, &next)),
        items: page.rows.iter().map(|row| Account::of(&asked, row)).collect(),
        total: page.total,
    }))
}

/// An account to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// The company's name; at most 200 characters.
    #[serde(default)]
    #[schema(max_length = 200, example = "Muster GmbH, Hamburg")]
    company: Option<String>,
    /// The owner's first and last name; at most 200 characters.
    #[schema(min_length = 1, max_length = 200, example = "Erika Muster")]
    owner: String,
    /// The address that is its identity. No other account that is not closed may have it.
    #[schema(format = "email", example = "hamburg@muster.example")]
    email: String,
    /// The account it stands below; without it, the one that is acted in. It must be that account or one
    /// below it.
    #[serde(default)]
    #[schema(minimum = 1, example = 1900001)]
    parent: Option<i64>,
    /// What it is created as, which decides how it takes visits from above unless `access` says so:
    /// `customer` is asked, `department` and `branch` are open.
    #[serde(default)]
    preset: Option<NewPreset>,
    /// How it takes visits from above.
    #[serde(default)]
    access: Option<NewAccess>,
    /// The language it is written to in: `en` or `de`; null is the installation's.
    #[serde(default)]
    #[schema(example = "de")]
    language: Option<String>,
    /// Its time zone (IANA); null is the installation's.
    #[serde(default)]
    #[schema(example = "Europe/Berlin")]
    time_zone: Option<String>,
    /// Credit that is handed down to it from the account above, in the same moment; null is none.
    #[serde(default)]
    credits: Option<Amount>,
    /// When more comes by itself from there; null is never.
    #[serde(default)]
    automatic_transfer: Option<NewAutomaticTransfer>,
    /// Whether its address is invited to be its owner.
    #[serde(default)]
    invite_owner: bool,
}

/// What an account is created as.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NewPreset {
    /// A customer of an agency.
    Customer,
    /// A department of the same house.
    Department,
    /// A branch that tops itself up from above.
    Branch,
}

/// How an account takes visits from above.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NewAccess {
    /// They are written down where its members see them.
    Open,
    /// They are also mailed to its owner.
    Notify,
    /// Its owner must have said yes, for a time.
    Ask,
}

impl NewAccount {
    fn beginning(&self, once: Option<String>) -> Beginning {
        Beginning {
            preset: self.preset.map(|preset| match preset {
                NewPreset::Customer => Preset::Customer,
                NewPreset::Department => Preset::Department,
                NewPreset::Branch => Preset::Branch,
            }),
            access: self.access.map(|access| match access {
                NewAccess::Open => Access::Open,
                NewAccess::Notify => Access::Notify,
                NewAccess::Ask => Access::Ask,
            }),
            language: self.language.clone(),
            time_zone: self.time_zone.clone(),
            handed_down: self.credits.map_or(Credits::ZERO, |amount| amount.0),
            auto_transfer: self.automatic_transfer.as_ref().map(AutoTransfer::from),
            invites_owner: self.invite_owner,
            once,
        }
    }

    /// What it does besides creating an account, a key must be allowed to as well.
    fn needs(&self) -> impl Iterator<Item = Scope> {
        let moves_credit = self.credits.is_some() || self.automatic_transfer.is_some();
        let needs = [(moves_credit, Scope::CreditsWrite), (self.invite_owner, Scope::MembersWrite)];
        needs.into_iter().filter(|(needed, _)| *needed).map(|(_, scope)| scope)
    }
}

/// What is to be changed; what is absent stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountChange {
    /// The company's name; at most 200 characters. Null takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 200, example = "Muster GmbH, Hamburg")]
    company: Option<Option<String>>,
    /// The owner's first and last name; 1 to 200 characters.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 200, example = "Erika Muster")]
    owner: Option<String>,
}

/// Create an account
///
/// A subaccount has everything an account has: its own credit, keys, members, prices and statistics.
/// Creating one costs nothing. It begins without credit; hand some out by a transfer.
#[utoipa::path(
    post,
    path = "/v1/accounts",
    operation_id = "createAccount",
    tag = "Accounts",
    request_body = NewAccount,
    responses((status = 201, description = "The account.", body = Account))
)]
pub async fn create(asked: Asked, Body(new): Body<NewAccount>) -> Result<impl IntoResponse, Problem> {
    let email = Email::parse(&new.email).map_err(|wrong| Problem::field("email", wrong))?;
    let parent = match new.parent {
        None => asked.account.clone(),
        Some(id) => asked.target(id).await.map_err(|problem| match problem.kind {
            Kind::NotFound => Problem::field("parent", problem.detail),
            _ => problem,
        })?,
    };
    for scope in new.needs() {
        super::gate::has_scope(&asked.key, scope)?;
    }
    let once = asked.idempotency.as_ref().map(|name| format!("v1 {} {name}", asked.key.id));
    let beginning = new.beginning(once);
    let (company, owner) = (new.company, new.owner);
    let new = New { company, owner, email, parent: Some(parent.id), credits: Credits::ZERO };
    let account = match accounts::create_with(asked.gateway(), &new, &beginning, &asked.actor).await {
        Ok(account) => account,
        // As it was asked for under the same name, and the answer was lost.
        Err(CreateError::Before(Some(account))) => *account,
        Err(error) => return Err(refused(error)),
    };
    let at = format!("/v1/accounts/{}", account.id);
    Ok(created(at, Account::now(&asked, account.id).await?))
}

fn refused(error: CreateError) -> Problem {
    match error {
        CreateError::Storage(error) => error.into(),
        CreateError::Name { field: "company", .. } => Problem::field("company", error),
        CreateError::Name { .. } => Problem::field("owner", error),
        CreateError::Negative(_) => Problem::field("credits", error),
        CreateError::EmailTaken(_) => Problem::new(Kind::EmailInUse, error),
        CreateError::ParentNotFound(_) => Problem::field("parent", error),
        CreateError::ParentNotActive { parent, state } => Problem::new(Kind::AccountNotActive, error)
            .with("account", parent.0)
            .with("state", state.as_str()),
        CreateError::TooDeep { max, .. } => {
            Problem::new(Kind::SubaccountLimitReached, error).with("levels_max", max as i64)
        }
        CreateError::Insufficient { account, available, amount } => {
            let missing = amount.checked_sub(available).unwrap_or(amount);
            Problem::new(Kind::InsufficientFunds, error)
                .with("account", account.0)
                .with_amount("available", available)
                .with_amount("missing", missing)
        }
        CreateError::NoParent => Problem::field("parent", error),
        CreateError::Rule(_) => Problem::field("automatic_transfer", error),
        CreateError::Setting(wrong) => {
            Problem::field(wrong.field.as_str(), format!("{}; {}", wrong.problem, wrong.remedy))
        }
        CreateError::Invite(error) => invitations::refused(*error),
        CreateError::Before(_) => {
            Problem::new(Kind::IdempotencyUnfinished, "it was created, and closed since")
        }
        CreateError::KeyReused(_) => Problem::new(Kind::IdempotencyConflict, error),
    }
}

/// Read an account
///
/// The account that is acted in, or one below it; a closed one, too.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}",
    operation_id = "readAccount",
    tag = "Accounts",
    params(("account" = i64, Path, description = "Its number.", minimum = 1)),
    responses((status = 200, description = "The account.", body = Account))
)]
pub async fn read(asked: Asked, Named(id): Named<i64>) -> Result<Json<Account>, Problem> {
    let account = asked.target(id).await?;
    Ok(Json(Account::now(&asked, account.id).await?))
}

/// Change an account
///
/// Gives the account that is acted in, or one below it, another name. For one below, the key needs
/// subaccount access.
#[utoipa::path(
    patch,
    path = "/v1/accounts/{account}",
    operation_id = "changeAccount",
    tag = "Accounts",
    params(("account" = i64, Path, description = "Its number.", minimum = 1)),
    request_body = AccountChange,
    responses((status = 200, description = "The account as it is now.", body = Account))
)]
pub async fn change(
    asked: Asked,
    Named(id): Named<i64>,
    Body(new): Body<AccountChange>,
) -> Result<Json<Account>, Problem> {
    let account = asked.target(id).await?;
    let change = Change { company: new.company, owner: new.owner, ..Change::default() };
    let actor = asked.actor_for(&account);
    settings::change(asked.gateway(), account.id, &change, &actor).await.map_err(super::settings::refused)?;
    Ok(Json(Account::now(&asked, account.id).await?))
}
