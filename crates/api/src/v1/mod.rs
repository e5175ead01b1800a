//! `/v1`: Branchline's own API, for all that the wire-compatible one lacks: JSON in and out, problems as
//! RFC 9457 has them, cursors, and each thing done once. This file is the list of routes; each resource
//! has a file.
//!
//! A use case is one function of the gateway, and the console calls the same.

mod access;
mod accounts;
mod asked;
mod audit;
mod automatic;
mod balance;
mod cursor;
mod docs;
mod gate;
mod imports;
mod invitations;
mod keys;
mod lifecycle;
mod limits;
mod me;
mod members;
mod messages;
mod once;
mod openapi;
mod price_lists;
mod prices;
mod problem;
mod settings;
mod several;
mod shared_wallet;
mod statement;
mod statistics;
mod transfers;
mod values;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::any;
use domain::key::Scope;
use domain::permission::Action;
use utoipa::openapi::OpenApi;
use utoipa_axum::routes;

use crate::Api;
use crate::table::{Needs, Row};
use openapi::Described;
use problem::Kind;

pub(crate) use docs::docs;

/// Every route with what a caller needs there, and what can go wrong besides what can everywhere.
pub(crate) fn routes() -> (Router<Api>, Vec<Row>, OpenApi) {
    use Kind::*;
    let right = Needs::Right;
    #[rustfmt::skip]
    let described = Described::default()
        .on(routes!(me::read), Needs::Key, &[])
        .on(routes!(accounts::list), right(Scope::AccountsRead, Action::SeeSubaccounts), &[])
        .on(routes!(accounts::create), right(Scope::AccountsWrite, Action::ManageSubaccounts), &[EmailInUse, SubaccountLimitReached, InsufficientFunds, WrongState, LimitExceeded])
        .on(routes!(accounts::read), right(Scope::AccountsRead, Action::SeeSubaccounts), &[])
        .on(routes!(accounts::change), right(Scope::AccountsWrite, Action::ManageSettings), &[AccountClosed])
        .on(routes!(lifecycle::suspend), right(Scope::AccountsWrite, Action::ManageSubaccounts), &[WrongState, AccountClosed])
        .on(routes!(lifecycle::activate), right(Scope::AccountsWrite, Action::ManageSubaccounts), &[StateLockedByPlatform, WrongState, AccountClosed])
        .on(routes!(lifecycle::close), right(Scope::AccountsWrite, Action::ManageSubaccounts), &[HasChildren, MessagesUnderWay, BalanceNotSettled, AccountClosed])
        .on(routes!(lifecycle::preview), right(Scope::AccountsRead, Action::SeeSubaccounts), &[AccountClosed])
        .on(routes!(lifecycle::reopen), right(Scope::AccountsWrite, Action::ManageSubaccounts), &[StateLockedByPlatform, WrongState, AccountClosed])
        .on(routes!(several::suspend), right(Scope::AccountsWrite, Action::ManageSubaccounts), &[])
        .on(routes!(several::activate), right(Scope::AccountsWrite, Action::ManageSubaccounts), &[])
        .on(routes!(imports::check), right(Scope::AccountsWrite, Action::ManageSubaccounts), &[SubaccountLimitReached])
        .on(routes!(imports::import), right(Scope::AccountsWrite, Action::ManageSubaccounts), &[SubaccountLimitReached])
        .on(routes!(balance::read), right(Scope::CreditsRead, Action::SeeBalance), &[])
        .on(routes!(statement::read), right(Scope::CreditsRead, Action::SeeCredits), &[])
        .on(routes!(transfers::list), right(Scope::CreditsRead, Action::SeeCredits), &[])
        .on(routes!(transfers::create), right(Scope::CreditsWrite, Action::MoveCredits), &[InsufficientFunds, TransferNotAllowed, AccountClosed])
        .on(routes!(several::transfer), right(Scope::CreditsWrite, Action::MoveCredits), &[])
        .on(routes!(transfers::read), right(Scope::CreditsRead, Action::SeeCredits), &[])
        .on(routes!(automatic::read), right(Scope::CreditsRead, Action::SeeCredits), &[])
        .on(routes!(automatic::set), right(Scope::CreditsWrite, Action::MoveCredits), &[TransferNotAllowed, AccountClosed])
        .on(routes!(automatic::remove), right(Scope::CreditsWrite, Action::MoveCredits), &[AccountClosed])
        .on(routes!(shared_wallet::read), right(Scope::CreditsRead, Action::SeeCredits), &[])
        .on(routes!(shared_wallet::set), right(Scope::CreditsWrite, Action::MoveCredits), &[TransferNotAllowed, AccountClosed])
        .on(routes!(shared_wallet::remove), right(Scope::CreditsWrite, Action::MoveCredits), &[TransferNotAllowed, AccountClosed])
        .on(routes!(limits::list), right(Scope::CreditsRead, Action::SeeCredits), &[])
        .on(routes!(limits::set), right(Scope::AccountsWrite, Action::ManageSubaccounts), &[AccountClosed, LimitExceeded])
        .on(routes!(limits::read), right(Scope::CreditsRead, Action::SeeCredits), &[])
        .on(routes!(limits::remove), right(Scope::AccountsWrite, Action::ManageSubaccounts), &[AccountClosed])
        .on(routes!(prices::read), right(Scope::PricesRead, Action::SeePrices), &[])
        .on(routes!(prices::read_below), right(Scope::PricesRead, Action::SeePrices), &[])
        .on(routes!(price_lists::list), right(Scope::PricesRead, Action::SeePrices), &[])
        .on(routes!(price_lists::read), right(Scope::PricesRead, Action::SeePrices), &[])
        .on(routes!(price_lists::set), right(Scope::PricesWrite, Action::ManagePrices), &[BelowCost, AccountClosed])
        .on(routes!(price_lists::remove), right(Scope::PricesWrite, Action::ManagePrices), &[BelowCost, AccountClosed])
        .on(routes!(members::list), right(Scope::MembersRead, Action::SeeMembers), &[])
        .on(routes!(members::read), right(Scope::MembersRead, Action::SeeMembers), &[])
        .on(routes!(members::change), right(Scope::MembersWrite, Action::ManageMembers), &[WrongState, AccountClosed])
        .on(routes!(members::remove), right(Scope::MembersWrite, Action::ManageMembers), &[WrongState, AccountClosed])
        .on(routes!(invitations::list), right(Scope::MembersRead, Action::SeeMembers), &[])
        .on(routes!(invitations::create), right(Scope::MembersWrite, Action::ManageMembers), &[EmailInUse, WrongState, LimitExceeded])
        .on(routes!(invitations::read), right(Scope::MembersRead, Action::SeeMembers), &[])
        .on(routes!(invitations::resend), right(Scope::MembersWrite, Action::ManageMembers), &[WrongState, LimitExceeded])
        .on(routes!(invitations::revoke), right(Scope::MembersWrite, Action::ManageMembers), &[])
        .on(routes!(keys::list), right(Scope::KeysRead, Action::SeeKeys), &[])
        .on(routes!(keys::create), right(Scope::KeysWrite, Action::ManageKeys), &[WrongState])
        .on(routes!(keys::read), right(Scope::KeysRead, Action::SeeKeys), &[])
        .on(routes!(keys::revoke), right(Scope::KeysWrite, Action::ManageKeys), &[])
        .on(routes!(settings::read), right(Scope::SettingsRead, Action::SeeSettings), &[])
        .on(routes!(settings::change), right(Scope::SettingsWrite, Action::ManageSettings), &[AccountClosed])
        .on(routes!(messages::list), right(Scope::MessagesRead, Action::SeeMessages), &[])
        .on(routes!(messages::read), right(Scope::MessagesRead, Action::SeeMessages), &[])
        .on(routes!(statistics::read), right(Scope::StatisticsRead, Action::SeeStatistics), &[])
        .on(routes!(access::visits), right(Scope::AccessRead, Action::SeeVisits), &[])
        .on(routes!(access::grants), right(Scope::AccessRead, Action::SeeVisits), &[])
        .on(routes!(audit::read), right(Scope::AuditRead, Action::SeeAudit), &[]);
    described.finish()
}

/// The finished router of `/v1`.
pub(crate) fn router(api: &Api, routes: Router<Api>) -> Router {
    routes
        .route("/v1", any(gate::nothing_here))
        .route("/v1/", any(gate::nothing_here))
        .route("/v1/{*rest}", any(gate::nothing_here))
        .method_not_allowed_fallback(gate::no_such_method)
        .layer(from_fn_with_state(api.clone(), gate::gate))
        .with_state(api.clone())
}
