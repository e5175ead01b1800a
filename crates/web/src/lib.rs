//! The door for people: the console, drawn on the server. This file is the list of pages; each group
//! of pages has a file.
//!
//! # How a page is added
//!
//! 1. **A row in [`PAGES`]**: method, path, [`Door`], handler. There is no other way to a handler:
//!    the router is built from the table, and what stands in front of a page is decided there and not
//!    in the handler. The test of permissions reads the same table, so a page without a row does not
//!    exist. Changes are `POST` to the page they are made on, or to a path below it that names the act
//!    (`/a/{id}/keys/{key}/revoke`).
//! 2. **One struct a page** beside its handler, with `#[derive(Template)]`, whose field `shell` is a
//!    [`page::Shell`]; its template extends `_layout.html` and lies in `templates/` as the URL is
//!    (`templates/a/keys.html`). The template only lays out: decisions and sums are methods of the
//!    struct. Amounts, counts, dates and numbers are written by [`format::Format`] alone.
//! 3. **The handler** takes [`door::Place`] (behind [`Door::Account`]) or [`signed_in::Person`]
//!    (behind [`Door::SignedIn`] and [`Door::Operator`]) and answers `Result<Response, Stop>`:
//!
//!    ```ignore
//!    /// `GET /a/{id}/keys`: the keys of an account.
//!    pub async fn show(State(console): State<Console>, place: Place) -> Result<Response, Stop> {
//!        let keys = storage::keys::of(&mut *console.db.read().await?, place.account.id).await?;
//!        page::draw(&Keys { shell: place.shell("API keys"), keys })
//!    }
//!    ```
//!
//!    What it may not show it leaves out by asking `place.may(Action::ManageKeys)`. An account below
//!    that a path or a form names is read by [`door::Place::below`], which answers 404 for any other.
//! 4. **A form** is read as [`form::Typed`]. Wrong words are noted in it field by field
//!    (`typed.read("amount", ..)`, `typed.wrong("amount", "..")`), and the same page is drawn again
//!    with it by [`page::draw_again`]. What went well ends in [`flash::done`]: see-other with a word
//!    of what happened. Every form works without script, and needs no token: [`security`] refuses
//!    foreign origins.
//! 5. **Parts** that every page shares are structs that draw themselves: [`form::Field`],
//!    [`parts::Badge`], [`parts::Empty`], [`parts::Pager`], [`chart::Chart`], [`parts::Icon`]. A table is
//!    plain `<table class="table">`, each `<td>` with a `data-label`, so that it becomes cards on a phone.
//!    `cargo run -p web --example gallery` shows all of them.
//! 6. **A sample**: a `#[cfg(test)] pub(crate) fn sample() -> Page` beside the struct, and a line in
//!    `tests::samples` that draws it.
//! 7. **What changes while somebody looks on** is a part with an `id` and `data-live="messages balance"`: the
//!    words of [`gateway::changes::What`] that it shows. The page's shell says where the words come from
//!    ([`page::Shell::live`], with what `events::way` gave before anything was read); the script then
//!    fetches the page anew and puts the part in place. So a live part is drawn in one way only, and a
//!    page without script is whole, as of when it was loaded.
//!
//! Deliberately absent: SQL, rules of money, who may do what (`domain::permission`), what a program
//! reads (`api`).

mod access;
mod accounts;
mod agent;
pub mod assets;
mod audit;
pub mod chart;
mod close;
mod credits;
pub mod door;
pub mod error;
mod events;
pub mod flash;
pub mod form;
pub mod format;
mod home;
mod invitation;
mod keys;
mod limits;
mod link;
mod me;
mod members;
mod messages;
pub mod navigation;
mod once;
mod operator;
mod overview;
pub mod page;
mod paging;
pub mod parts;
mod price_lists;
mod prices;
mod requests;
mod reset;
pub mod security;
mod send;
mod set_up;
mod settings;
mod sign_in;
pub mod signed_in;
mod statement;
mod statistics;
mod step_in;
mod subaccounts;
mod theme;
mod traffic;
mod transfers;
mod upload;
mod worth;
pub mod xlsx;

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodFilter, MethodRouter, on};
use gateway::Gateway;

pub use door::Door;
pub use signed_in::Person;

/// What an operator may set.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The addresses people reach the console by; the first one is for links. Without any, the
    /// console is for this machine and what stands in front of it.
    pub public_urls: Vec<String>,
}

impl Options {
    /// Whether people come by TLS, so that cookies and headers may insist on it.
    pub fn is_https(&self) -> bool {
        self.public_urls.first().is_some_and(|url| url.starts_with("https://"))
    }
}

/// What all pages share. Cheap to clone.
#[derive(Clone)]
pub struct Console(Arc<Shared>);

/// What lies behind a [`Console`].
pub struct Shared {
    /// The platform.
    pub gateway: Gateway,
    /// The operator's choices.
    pub options: Options,
    /// Who holds streams of events.
    streams: Arc<events::Streams>,
}

impl std::ops::Deref for Console {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// The method of a row in [`PAGES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are named as HTTP names them")]
pub enum Method {
    Get,
    Post,
}

/// One row of [`PAGES`].
pub struct Page {
    /// How it is asked for.
    pub method: Method,
    /// Its path, with `{id}` for the account it belongs to.
    pub path: &'static str,
    /// Who may come in.
    pub door: Door,
    handler: fn(MethodFilter) -> MethodRouter<Console>,
}

macro_rules! pages {
    ($($method:ident $path:literal $door:expr => $handler:path;)*) => {
        /// Every page and every act of the console, with who may come in. The router is built from it,
        /// and the test of permissions reads it.
        pub const PAGES: &[Page] = &[$(
            Page { method: Method::$method, path: $path, door: $door, handler: |method| on(method, $handler) },
        )*];
    };
}

use Door::{Account, Everyone, SignedIn};
use domain::permission::Action::*;

#[rustfmt::skip]
pages! {
    // The house.
    Get  "/static/{file}"                   Everyone                 => assets::serve;
    Post "/theme"                           Everyone                 => theme::choose;
    Get  "/"                                SignedIn                 => home::show;

    // Coming in.
    Get  "/sign-in"                         Everyone                 => sign_in::show;
    Post "/sign-in"                         Everyone                 => sign_in::enter;
    Get  "/sign-in/second-factor"           Everyone                 => sign_in::second_factor;
    Post "/sign-in/second-factor"           Everyone                 => sign_in::show_code;
    Post "/sign-in/passkey/ask"             Everyone                 => sign_in::ask_passkey;
    Post "/sign-in/passkey"                 Everyone                 => sign_in::show_passkey;
    Get  "/sign-in/provider/begin"          Everyone                 => sign_in::to_provider;
    Get  "/sign-in/provider"                Everyone                 => sign_in::from_provider;
    Post "/sign-in/provider"                Everyone                 => sign_in::confirm_provider;
    Post "/sign-out"                        Everyone                 => sign_in::leave;
    Get  "/set-up/{token}"                  Everyone                 => set_up::show;
    Post "/set-up/{token}"                  Everyone                 => set_up::create;
    Get  "/reset"                           Everyone                 => reset::ask;
    Post "/reset"                           Everyone                 => reset::send;
    Get  "/reset/{token}"                   Everyone                 => reset::show;
    Post "/reset/{token}"                   Everyone                 => reset::choose;
    Get  "/invitation/{token}"              Everyone                 => invitation::show;
    Post "/invitation/{token}"              Everyone                 => invitation::accept;
    Get  "/me/address/{token}"              Everyone                 => me::show_address;
    Post "/me/address/{token}"              Everyone                 => me::change_address;

    // The person.
    Get  "/accounts"                        SignedIn                 => accounts::show;
    Get  "/me"                              SignedIn                 => me::show;
    Post "/me"                              SignedIn                 => me::change;
    Post "/me/address"                      SignedIn                 => me::ask_address;
    Get  "/me/security"                     SignedIn                 => me::security::show;
    Get  "/me/password"                     SignedIn                 => me::security::show_password;
    Post "/me/password"                     SignedIn                 => me::security::change_password;
    Get  "/me/app"                          SignedIn                 => me::security::show_app;
    Post "/me/app"                          SignedIn                 => me::security::begin_app;
    Post "/me/app/confirm"                  SignedIn                 => me::security::confirm_app;
    Get  "/me/app/remove"                   SignedIn                 => me::security::show_remove_app;
    Post "/me/app/remove"                   SignedIn                 => me::security::remove_app;
    Get  "/me/recovery-codes"               SignedIn                 => me::security::show_codes;
    Post "/me/recovery-codes"               SignedIn                 => me::security::renew_codes;
    Get  "/me/passkeys/new"                 SignedIn                 => me::passkeys::show_new;
    Post "/me/passkeys/new"                 SignedIn                 => me::passkeys::register;
    Post "/me/passkeys/ask"                 SignedIn                 => me::passkeys::ask;
    Post "/me/passkeys/{passkey}/rename"    SignedIn                 => me::passkeys::rename;
    Get  "/me/passkeys/{passkey}/remove"    SignedIn                 => me::passkeys::show_remove;
    Post "/me/passkeys/{passkey}/remove"    SignedIn                 => me::passkeys::remove;
    Get  "/me/provider"                     SignedIn                 => me::provider::show;
    Post "/me/provider"                     SignedIn                 => me::provider::begin;
    Get  "/me/provider/unlink"              SignedIn                 => me::provider::show_unlink;
    Post "/me/provider/unlink"              SignedIn                 => me::provider::unlink;
    Get  "/me/sessions"                     SignedIn                 => me::sessions::show;
    Post "/me/sessions/end-others"          SignedIn                 => me::sessions::end_others;
    Post "/me/sessions/{session}/end"       SignedIn                 => me::sessions::end;

    // The account.
    Get  "/a/{id}"                          Account(SeeAccount)      => overview::show;
    Get  "/a/{id}/events"                   Account(SeeAccount)      => events::of_account;

    // Subaccounts.
    Get  "/a/{id}/subaccounts"              Account(SeeSubaccounts)  => subaccounts::show;
    Post "/a/{id}/subaccounts/columns"      Account(SeeSubaccounts)  => subaccounts::columns::choose;
    Get  "/a/{id}/subaccounts/new"          Account(ManageSubaccounts) => subaccounts::create::show;
    Post "/a/{id}/subaccounts/new"          Account(ManageSubaccounts) => subaccounts::create::create;
    Get  "/a/{id}/subaccounts/transfer"     Account(MoveCredits)     => subaccounts::chosen::transfer_form;
    Post "/a/{id}/subaccounts/transfer"     Account(MoveCredits)     => subaccounts::chosen::transfer;
    Get  "/a/{id}/subaccounts/suspend"      Account(ManageSubaccounts) => subaccounts::chosen::suspend_form;
    Post "/a/{id}/subaccounts/suspend"      Account(ManageSubaccounts) => subaccounts::chosen::suspend;
    Get  "/a/{id}/subaccounts/transfer/{name}" Account(MoveCredits)  => subaccounts::chosen::transferred;
    Get  "/a/{id}/subaccounts/suspend/{name}"  Account(ManageSubaccounts) => subaccounts::chosen::suspended;
    Get  "/a/{id}/subaccounts/import"       Account(ManageSubaccounts) => subaccounts::import::show;
    Post "/a/{id}/subaccounts/import"       Account(ManageSubaccounts) => subaccounts::import::check;
    Get  "/a/{id}/subaccounts/import/sample.csv" Account(ManageSubaccounts) => subaccounts::import::sample_file;
    Post "/a/{id}/subaccounts/import/run"   Account(ManageSubaccounts) => subaccounts::import::run;
    Get  "/a/{id}/subaccounts/import/{token}" Account(ManageSubaccounts) => subaccounts::import::result;
    Get  "/a/{id}/subaccounts/{child}"      Account(SeeSubaccounts)  => subaccounts::glance::show;
    Get  "/a/{id}/subaccounts/{child}/close"    Account(ManageSubaccounts) => subaccounts::close::show;
    Post "/a/{id}/subaccounts/{child}/close"    Account(ManageSubaccounts) => subaccounts::close::close;
    Post "/a/{id}/subaccounts/{child}/suspend"  Account(ManageSubaccounts) => subaccounts::state::suspend;
    Post "/a/{id}/subaccounts/{child}/activate" Account(ManageSubaccounts) => subaccounts::state::activate;
    Get  "/a/{id}/subaccounts/{child}/credits"  Account(SeeSubaccounts)  => subaccounts::money::show;
    Post "/a/{id}/subaccounts/{child}/credits/hand-out"  Account(MoveCredits) => subaccounts::money::hand_out;
    Post "/a/{id}/subaccounts/{child}/credits/take-back" Account(MoveCredits) => subaccounts::money::take_back;
    Post "/a/{id}/subaccounts/{child}/credits/automatic" Account(MoveCredits) => subaccounts::money::set_rule;
    Get  "/a/{id}/subaccounts/{child}/limits"   Account(SeeSubaccounts)  => subaccounts::limits::show;
    Post "/a/{id}/subaccounts/{child}/limits"   Account(ManageSubaccounts) => subaccounts::limits::set;
    Post "/a/{id}/subaccounts/{child}/limits/{limit}/remove" Account(ManageSubaccounts) => subaccounts::limits::remove;
    Get  "/a/{id}/subaccounts/{child}/prices"   Account(SeeSubaccounts)  => subaccounts::prices::show;
    Post "/a/{id}/subaccounts/{child}/prices"   Account(ManagePrices)    => subaccounts::prices::choose;
    Get  "/a/{id}/subaccounts/{child}/prices/prices.csv" Account(SeeSubaccounts) => subaccounts::prices::export;
    Get  "/a/{id}/subaccounts/{child}/members"  Account(SeeSubaccounts)  => subaccounts::people::show;
    Get  "/a/{id}/subaccounts/{child}/access"   Account(SeeSubaccounts)  => subaccounts::access::show;

    // Messages.
    Get  "/a/{id}/send"                     Account(SendMessages)    => send::show;
    Post "/a/{id}/send"                     Account(SendMessages)    => send::act;
    Post "/a/{id}/send/preview"             Account(SendMessages)    => send::preview;
    Get  "/a/{id}/send/{sent}"              Account(SendMessages)    => send::result::show;
    Get  "/a/{id}/messages"                 Account(SeeMessages)     => messages::show;
    Get  "/a/{id}/messages/export.csv"      Account(SeeMessages)     => messages::export;
    Get  "/a/{id}/messages/{message}"       Account(SeeMessages)     => messages::one::show;
    Post "/a/{id}/messages/{message}/cancel" Account(SendMessages)   => messages::one::cancel;
    Get  "/a/{id}/statistics"               Account(SeeStatistics)   => statistics::show;
    Get  "/a/{id}/statistics/table.csv"     Account(SeeStatistics)   => statistics::csv;
    Get  "/a/{id}/statistics/table.xlsx"    Account(SeeStatistics)   => statistics::xlsx;

    // Credits.
    Get  "/a/{id}/credits"                  Account(SeeCredits)      => credits::show;
    Get  "/a/{id}/credits/statement.csv"    Account(SeeCredits)      => credits::export;
    Get  "/a/{id}/credits/transfer"         Account(MoveCredits)     => credits::transfer_form;
    Post "/a/{id}/credits/transfer"         Account(MoveCredits)     => credits::transfer;
    Get  "/a/{id}/prices"                   Account(SeePrices)       => prices::show;
    Get  "/a/{id}/prices/prices.csv"        Account(SeePrices)       => prices::export;
    Get  "/a/{id}/prices/lists"             Account(ManagePrices)    => price_lists::show;
    Post "/a/{id}/prices/lists"             Account(ManagePrices)    => price_lists::create;
    Get  "/a/{id}/prices/lists/{list}"      Account(ManagePrices)    => price_lists::one::show;
    Post "/a/{id}/prices/lists/{list}"      Account(ManagePrices)    => price_lists::one::change;
    Post "/a/{id}/prices/lists/{list}/rename" Account(ManagePrices)    => price_lists::one::rename;
    Post "/a/{id}/prices/lists/{list}/remove" Account(ManagePrices)    => price_lists::one::remove;
    Get  "/a/{id}/prices/lists/{list}/prices.csv" Account(ManagePrices)    => price_lists::one::export;
    Get  "/a/{id}/prices/lists/{list}/history" Account(ManagePrices)    => price_lists::history::show;
    Get  "/a/{id}/prices/lists/{list}/history.csv" Account(ManagePrices)    => price_lists::history::export;
    Get  "/a/{id}/prices/lists/{list}/import" Account(ManagePrices)    => price_lists::import::show;
    Post "/a/{id}/prices/lists/{list}/import" Account(ManagePrices)    => price_lists::import::check;
    Post "/a/{id}/prices/lists/{list}/import/apply" Account(ManagePrices)    => price_lists::import::apply;
    Get  "/a/{id}/limits"                   Account(SeeCredits)      => limits::show;
    Post "/a/{id}/limits"                   Account(ManageSettings)  => limits::add;
    Post "/a/{id}/limits/{limit}/remove"    Account(ManageSettings)  => limits::take_away;

    // Developers.
    Get  "/a/{id}/keys"                     Account(SeeKeys)         => keys::show;
    Get  "/a/{id}/keys/new"                 Account(ManageKeys)      => keys::show_new;
    Post "/a/{id}/keys/new"                 Account(ManageKeys)      => keys::create;
    Post "/a/{id}/keys/{key}/revoke"        Account(ManageKeys)      => keys::revoke;
    Get  "/a/{id}/requests"                 Account(SeeRequests)     => requests::show;
    Get  "/a/{id}/requests/{call}"          Account(SeeRequests)     => requests::one;

    // Who is in it, and how it is kept.
    Get  "/a/{id}/step-in"                  Account(SeeAccount)      => step_in::show;
    Post "/a/{id}/step-in"                  Account(SeeAccount)      => step_in::enter;
    Post "/a/{id}/step-in/ask"              Account(SeeAccount)      => step_in::ask;
    Post "/a/{id}/step-in/break-glass"      Account(SeeAccount)      => step_in::break_glass;
    Post "/a/{id}/step-out"                 Account(SeeAccount)      => step_in::leave;
    Get  "/a/{id}/members"                  Account(SeeMembers)      => members::show;
    Post "/a/{id}/members/leave"            Account(SeeAccount)      => members::leave;
    Post "/a/{id}/members/ownership/accept" Account(SeeAccount)      => members::accept_ownership;
    Post "/a/{id}/members/ownership/end"    Account(SeeAccount)      => members::end_offer;
    Get  "/a/{id}/members/invite"           Account(ManageMembers)   => members::invite::show;
    Post "/a/{id}/members/invite"           Account(ManageMembers)   => members::invite::invite;
    Post "/a/{id}/members/invitations/{invitation}/resend"  Account(ManageMembers)  => members::invite::resend;
    Post "/a/{id}/members/invitations/{invitation}/revoke"  Account(ManageMembers)  => members::invite::revoke;
    Get  "/a/{id}/members/{member}"         Account(ManageMembers)   => members::one::show;
    Post "/a/{id}/members/{member}"         Account(ManageMembers)   => members::one::change;
    Post "/a/{id}/members/{member}/remove"  Account(ManageMembers)   => members::one::remove;
    Post "/a/{id}/members/{member}/offer"   Account(TransferOwnership) => members::offer;
    Get  "/a/{id}/access"                   Account(SeeVisits)       => access::show;
    Post "/a/{id}/access"                   Account(ManageAccess)    => access::choose;
    Post "/a/{id}/access/{question}/grant"  Account(ManageAccess)    => access::grant;
    Post "/a/{id}/access/{question}/refuse" Account(ManageAccess)    => access::refuse;
    Post "/a/{id}/access/{question}/withdraw" Account(ManageAccess)  => access::withdraw;
    Get  "/a/{id}/audit"                    Account(SeeAudit)        => audit::show;
    Get  "/a/{id}/audit.csv"                Account(SeeAudit)        => audit::export;
    Get  "/a/{id}/settings"                 Account(SeeSettings)     => settings::show;
    Post "/a/{id}/settings"                 Account(ManageSettings)  => settings::change;
    Post "/a/{id}/settings/signing-key"     Account(ManageSettings)  => settings::new_signing_key;
    Get  "/a/{id}/close"                    Account(CloseAccount)    => close::show;
    Post "/a/{id}/close"                    Account(CloseAccount)    => close::close;
    Post "/a/{id}/reopen"                   Account(CloseAccount)    => close::reopen;

    // The operator.
    Get  "/operator"                        Door::Operator           => operator::show;
    Get  "/operator/events"                 Door::Operator           => events::of_operator;
    Post "/operator/check"                  Door::Operator           => operator::check;
    Post "/operator/jobs/{job}/retry"       Door::Operator           => operator::retry;
    Get  "/operator/trees"                  Door::Operator           => operator::trees::show;
    Get  "/operator/trees/{account}"        Door::Operator           => operator::account::show;
    Post "/operator/trees/{account}/suspend" Door::Operator          => operator::account::suspend;
    Post "/operator/trees/{account}/activate" Door::Operator         => operator::account::activate;
    Get  "/operator/prices"                 Door::Operator           => operator::prices::show;
    Get  "/operator/prices/lists"           Door::Operator           => price_lists::show;
    Post "/operator/prices/lists"           Door::Operator           => price_lists::create;
    Get  "/operator/prices/lists/{list}"    Door::Operator           => price_lists::one::show;
    Post "/operator/prices/lists/{list}"    Door::Operator           => price_lists::one::change;
    Post "/operator/prices/lists/{list}/rename" Door::Operator           => price_lists::one::rename;
    Post "/operator/prices/lists/{list}/remove" Door::Operator           => price_lists::one::remove;
    Get  "/operator/prices/lists/{list}/prices.csv" Door::Operator           => price_lists::one::export;
    Get  "/operator/prices/lists/{list}/history" Door::Operator           => price_lists::history::show;
    Get  "/operator/prices/lists/{list}/history.csv" Door::Operator           => price_lists::history::export;
    Get  "/operator/prices/lists/{list}/import" Door::Operator           => price_lists::import::show;
    Post "/operator/prices/lists/{list}/import" Door::Operator           => price_lists::import::check;
    Post "/operator/prices/lists/{list}/import/apply" Door::Operator           => price_lists::import::apply;
    Get  "/operator/mails"                  Door::Operator           => operator::mails::show;
    Get  "/operator/mails/{mail}"           Door::Operator           => operator::mails::one;
    Post "/operator/mails/{mail}/send"      Door::Operator           => operator::mails::send;
}

/// The console. It answers every path that no other router merged with it has.
pub fn router(gateway: Gateway, options: Options) -> Router {
    let console = Console(Arc::new(Shared { gateway, options, streams: Arc::default() }));
    let mut router = Router::new();
    for page in PAGES {
        let method = match page.method {
            Method::Get => MethodFilter::GET,
            Method::Post => MethodFilter::POST,
        };
        router = router.route(page.path, door::guarded((page.handler)(method), page.door, &console));
    }
    let router = router
        .fallback(error::nothing_here)
        .method_not_allowed_fallback(error::wrong_method)
        .with_state(console.clone());
    security::around(router, &console)
}

#[cfg(test)]
mod tests {
    use askama::Template;

    use super::*;

    /// Every page, drawn from a sample that holds what people might type.
    fn samples() -> Vec<(&'static str, String)> {
        fn drawn(page: impl Template) -> String {
            page.render().unwrap()
        }
        vec![
            ("send", drawn(send::tests::sample())),
            ("sent", drawn(send::result::tests::sample())),
            ("journal", drawn(messages::tests::sample())),
            ("a message", drawn(messages::one::tests::sample())),
            ("statistics", drawn(statistics::tests::sample())),
            ("overview", drawn(overview::tests::sample())),
            ("subaccounts", drawn(subaccounts::tests::sample())),
            ("new subaccount", drawn(subaccounts::create::tests::sample())),
            ("a subaccount", drawn(subaccounts::glance::tests::sample())),
            ("its credits", drawn(subaccounts::money::tests::sample())),
            ("limits", drawn(limits::tests::sample())),
            ("its limits", drawn(subaccounts::limits::sample())),
            ("its prices", drawn(subaccounts::prices::sample())),
            ("own prices", drawn(prices::sample())),
            ("price lists", drawn(price_lists::sample())),
            ("a price list", drawn(price_lists::one::sample())),
            ("its history", drawn(price_lists::history::sample())),
            ("prices from a file", drawn(price_lists::import::sample())),
            ("what they would change", drawn(price_lists::import::sample_of_check())),
            ("its members", drawn(subaccounts::people::sample())),
            ("its access", drawn(subaccounts::access::sample())),
            ("closing it", drawn(subaccounts::close::sample())),
            ("closing one's own", drawn(close::sample())),
            ("several at once", drawn(subaccounts::chosen::sample())),
            ("import", drawn(subaccounts::import::tests::sample())),
            ("what an import would do", drawn(subaccounts::import::tests::sample_of_report())),
            ("what became of many", drawn(subaccounts::work::sample())),
            ("an account, for the operator", drawn(operator::account::sample())),
            ("credits", drawn(credits::tests::sample())),
            ("move credits", drawn(credits::tests::sample_of_transfer())),
        ]
    }

    #[test]
    fn every_page_is_drawn_whole_and_nothing_typed_is_markup() {
        for (name, html) in samples() {
            assert!(html.trim_end().ends_with("</html>"), "{name} ends early");
            assert_eq!(html.matches("<h1").count(), 1, "{name}: one heading");
            for typed in ["<script>alert", "<b>K", "<b>@", "<i>", "<Nordlicht>", "<agency>"] {
                assert!(!html.contains(typed), "{name} holds {typed}");
            }
            assert!(!html.contains(" style=\""), "{name}: the policy forbids styles in place");
            assert!(!html.contains("onclick"), "{name}: the policy forbids script in place");
        }
    }

    #[test]
    fn no_id_stands_twice_on_a_page() {
        for (name, html) in samples() {
            let mut ids: Vec<&str> =
                html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
            ids.sort_unstable();
            let twice: Vec<_> = ids.windows(2).filter(|two| two[0] == two[1]).collect();
            assert!(twice.is_empty(), "{name}: {twice:?}");
        }
    }
}
