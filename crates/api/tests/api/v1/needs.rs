//! What each route of this door needs, written a second time for people: a route that is missing here, or
//! needs something else, fails. That whoever has less is refused is asked in `permissions`.

use std::collections::BTreeMap;

use api::Needs;
use domain::key::Scope::{self, *};
use domain::permission::Action::{self, *};

const fn right(scope: Scope, action: Action) -> Needs {
    Needs::Right(scope, action)
}

#[rustfmt::skip]
const TABLE: &[(&str, &str, Needs)] = &[
    ("GET",    "/api/sms",                                           right(Sms, SendMessages)),
    ("POST",   "/api/sms",                                           right(Sms, SendMessages)),
    ("DELETE", "/api/sms",                                           right(Sms, SendMessages)),
    ("GET",    "/api/status",                                        right(Status, SeeMessages)),
    ("POST",   "/api/status",                                        right(Status, SeeMessages)),
    ("GET",    "/api/balance",                                       right(Balance, SeeBalance)),
    ("POST",   "/api/balance",                                       right(Balance, SeeBalance)),
    ("GET",    "/api/pricing",                                       right(Pricing, SeePrices)),
    ("POST",   "/api/pricing",                                       right(Pricing, SeePrices)),
    ("GET",    "/api/journal",                                       right(Journal, SeeMessages)),
    ("POST",   "/api/journal",                                       right(Journal, SeeMessages)),
    ("GET",    "/api/journal/outbound",                              right(Journal, SeeMessages)),
    ("POST",   "/api/journal/outbound",                              right(Journal, SeeMessages)),
    ("GET",    "/api/journal/inbound",                               right(Journal, SeeMessages)),
    ("POST",   "/api/journal/inbound",                               right(Journal, SeeMessages)),
    ("GET",    "/api/journal/replies",                               right(Journal, SeeMessages)),
    ("POST",   "/api/journal/replies",                               right(Journal, SeeMessages)),
    ("GET",    "/api/journal/voice",                                 right(Journal, SeeMessages)),
    ("POST",   "/api/journal/voice",                                 right(Journal, SeeMessages)),
    ("GET",    "/api/analytics",                                     right(Analytics, SeeStatistics)),
    ("POST",   "/api/analytics",                                     right(Analytics, SeeStatistics)),
    ("GET",    "/api/analytics/date",                                right(Analytics, SeeStatistics)),
    ("POST",   "/api/analytics/date",                                right(Analytics, SeeStatistics)),
    ("GET",    "/api/analytics/country",                             right(Analytics, SeeStatistics)),
    ("POST",   "/api/analytics/country",                             right(Analytics, SeeStatistics)),
    ("GET",    "/api/analytics/label",                               right(Analytics, SeeStatistics)),
    ("POST",   "/api/analytics/label",                               right(Analytics, SeeStatistics)),
    ("GET",    "/api/analytics/subaccount",                          right(Analytics, SeeStatistics)),
    ("POST",   "/api/analytics/subaccount",                          right(Analytics, SeeStatistics)),
    ("GET",    "/api/subaccounts",                                   right(Subaccounts, ManageSubaccounts)),
    ("POST",   "/api/subaccounts",                                   right(Subaccounts, ManageSubaccounts)),
    ("GET",    "/api/subaccounts/list",                              right(Subaccounts, SeeSubaccounts)),
    ("POST",   "/api/subaccounts/list",                              right(Subaccounts, SeeSubaccounts)),
    ("GET",    "/api/subaccounts/read",                              right(Subaccounts, SeeSubaccounts)),
    ("POST",   "/api/subaccounts/read",                              right(Subaccounts, SeeSubaccounts)),
    ("POST",   "/api/subaccounts/create",                            right(Subaccounts, ManageSubaccounts)),
    ("POST",   "/api/subaccounts/update",                            right(Subaccounts, MoveCredits)),
    ("POST",   "/api/subaccounts/transfer_credits",                  right(Subaccounts, MoveCredits)),
    ("POST",   "/api/subaccounts/delete",                            right(Subaccounts, ManageSubaccounts)),
    ("GET",    "/healthz",                                           Needs::Nothing),
    ("GET",    "/readyz",                                            Needs::Nothing),
    ("GET",    "/metrics",                                           Needs::Nothing),
    ("GET",    "/v1/openapi.json",                                   Needs::Nothing),
    ("GET",    "/docs",                                              Needs::Nothing),
    ("GET",    "/docs/",                                             Needs::Nothing),
    ("GET",    "/docs/problems",                                     Needs::Nothing),
    ("GET",    "/docs/{file}",                                       Needs::Nothing),
    ("GET",    "/v1/me",                                             Needs::Key),
    ("GET",    "/v1/accounts",                                       right(AccountsRead, SeeSubaccounts)),
    ("POST",   "/v1/accounts",                                       right(AccountsWrite, ManageSubaccounts)),
    ("GET",    "/v1/accounts/{account}",                             right(AccountsRead, SeeSubaccounts)),
    ("PATCH",  "/v1/accounts/{account}",                             right(AccountsWrite, ManageSettings)),
    ("POST",   "/v1/accounts/{account}/suspend",                     right(AccountsWrite, ManageSubaccounts)),
    ("POST",   "/v1/accounts/{account}/activate",                    right(AccountsWrite, ManageSubaccounts)),
    ("POST",   "/v1/accounts/{account}/close",                       right(AccountsWrite, ManageSubaccounts)),
    ("GET",    "/v1/accounts/{account}/close",                       right(AccountsRead, SeeSubaccounts)),
    ("POST",   "/v1/accounts/{account}/reopen",                      right(AccountsWrite, ManageSubaccounts)),
    ("POST",   "/v1/accounts/suspend",                               right(AccountsWrite, ManageSubaccounts)),
    ("POST",   "/v1/accounts/activate",                              right(AccountsWrite, ManageSubaccounts)),
    ("POST",   "/v1/accounts/import/check",                          right(AccountsWrite, ManageSubaccounts)),
    ("POST",   "/v1/accounts/import",                                right(AccountsWrite, ManageSubaccounts)),
    ("POST",   "/v1/transfers/many",                                 right(CreditsWrite, MoveCredits)),
    ("GET",    "/v1/price-lists",                                    right(PricesRead, SeePrices)),
    ("GET",    "/v1/accounts/{account}/price-list",                  right(PricesRead, SeePrices)),
    ("PUT",    "/v1/accounts/{account}/price-list",                  right(PricesWrite, ManagePrices)),
    ("DELETE", "/v1/accounts/{account}/price-list",                  right(PricesWrite, ManagePrices)),
    ("GET",    "/v1/balance",                                        right(CreditsRead, SeeBalance)),
    ("GET",    "/v1/statement",                                      right(CreditsRead, SeeCredits)),
    ("GET",    "/v1/transfers",                                      right(CreditsRead, SeeCredits)),
    ("POST",   "/v1/transfers",                                      right(CreditsWrite, MoveCredits)),
    ("GET",    "/v1/transfers/{transfer}",                           right(CreditsRead, SeeCredits)),
    ("GET",    "/v1/accounts/{account}/automatic-transfer",          right(CreditsRead, SeeCredits)),
    ("PUT",    "/v1/accounts/{account}/automatic-transfer",          right(CreditsWrite, MoveCredits)),
    ("DELETE", "/v1/accounts/{account}/automatic-transfer",          right(CreditsWrite, MoveCredits)),
    ("GET",    "/v1/accounts/{account}/shared-wallet",               right(CreditsRead, SeeCredits)),
    ("PUT",    "/v1/accounts/{account}/shared-wallet",               right(CreditsWrite, MoveCredits)),
    ("DELETE", "/v1/accounts/{account}/shared-wallet",               right(CreditsWrite, MoveCredits)),
    ("GET",    "/v1/accounts/{account}/limits",                      right(CreditsRead, SeeCredits)),
    ("POST",   "/v1/accounts/{account}/limits",                      right(AccountsWrite, ManageSubaccounts)),
    ("GET",    "/v1/accounts/{account}/limits/{limit}",              right(CreditsRead, SeeCredits)),
    ("DELETE", "/v1/accounts/{account}/limits/{limit}",              right(AccountsWrite, ManageSubaccounts)),
    ("GET",    "/v1/prices",                                         right(PricesRead, SeePrices)),
    ("GET",    "/v1/accounts/{account}/prices",                      right(PricesRead, SeePrices)),
    ("GET",    "/v1/members",                                        right(MembersRead, SeeMembers)),
    ("GET",    "/v1/members/{member}",                               right(MembersRead, SeeMembers)),
    ("PATCH",  "/v1/members/{member}",                               right(MembersWrite, ManageMembers)),
    ("DELETE", "/v1/members/{member}",                               right(MembersWrite, ManageMembers)),
    ("GET",    "/v1/invitations",                                    right(MembersRead, SeeMembers)),
    ("POST",   "/v1/invitations",                                    right(MembersWrite, ManageMembers)),
    ("GET",    "/v1/invitations/{invitation}",                       right(MembersRead, SeeMembers)),
    ("POST",   "/v1/invitations/{invitation}/resend",                right(MembersWrite, ManageMembers)),
    ("DELETE", "/v1/invitations/{invitation}",                       right(MembersWrite, ManageMembers)),
    ("GET",    "/v1/keys",                                           right(KeysRead, SeeKeys)),
    ("POST",   "/v1/keys",                                           right(KeysWrite, ManageKeys)),
    ("GET",    "/v1/keys/{key}",                                     right(KeysRead, SeeKeys)),
    ("DELETE", "/v1/keys/{key}",                                     right(KeysWrite, ManageKeys)),
    ("GET",    "/v1/settings",                                       right(SettingsRead, SeeSettings)),
    ("PATCH",  "/v1/settings",                                       right(SettingsWrite, ManageSettings)),
    ("GET",    "/v1/messages",                                       right(MessagesRead, SeeMessages)),
    ("GET",    "/v1/messages/{message}",                             right(MessagesRead, SeeMessages)),
    ("GET",    "/v1/statistics",                                     right(StatisticsRead, SeeStatistics)),
    ("GET",    "/v1/access/visits",                                  right(AccessRead, SeeVisits)),
    ("GET",    "/v1/access/grants",                                  right(AccessRead, SeeVisits)),
    ("GET",    "/v1/audit",                                          right(AuditRead, SeeAudit)),
];

#[test]
fn each_route_needs_what_is_written_here() {
    let written: BTreeMap<_, _> = TABLE.iter().map(|(m, path, needs)| ((*m, *path), *needs)).collect();
    assert_eq!(written.len(), TABLE.len(), "a row stands there twice");
    let rows = api::table();
    let wrong: Vec<_> = rows
        .iter()
        .filter(|row| written.get(&(row.method.as_str(), row.path.as_str())) != Some(&row.needs))
        .map(|row| format!("{} {}: {:?}", row.method, row.path, row.needs))
        .collect();
    assert!(wrong.is_empty(), "not as written, or not written:\n{}", wrong.join("\n"));
    assert_eq!(rows.len(), TABLE.len(), "a row is written that is not served");
}
