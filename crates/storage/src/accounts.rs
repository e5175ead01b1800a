//! Accounts: the tree, its states and settings. What an account holds lies in [`crate::ledger`].
//!
//! Every change makes a new version of what processes remember ([`counters::changed`]). It is made
//! last, because whoever makes one waits for others that do.

use std::collections::HashMap;

use domain::account::{Account, AccountSettings, AccountState, AutoTransfer, Email, Preset, SharedWallet};
use domain::credits::Credits;
use domain::id::{AccountId, PriceListId};
use domain::ledger::LedgerAccount;
use domain::member::Access;
use domain::moment::Moment;

use crate::counters;
use crate::db::{Conn, Error, Result, Row, Tx, Value};

const COLUMNS: &str = "a.id, a.parent_id, a.path, a.company, a.owner, a.email, a.state, a.state_reason, a.credit_line,
        a.price_list_id, a.auto_threshold, a.auto_amount, a.auto_day_max, a.auto_month_max, a.default_sender,
        a.default_country, a.reload_lock, a.recipient_day_max, a.signing_key, a.signature_required, a.created_at,
        a.access, a.time_zone, a.language, a.second_factor_required, a.text_days, a.number_days, a.preset,
        a.shared_from, a.shared_until";
/// How many columns that is: what a statement asks for beside them follows.
const WIDTH: usize = 30;

/// Draws the number of a new account.
pub async fn draw_id(tx: &mut Tx) -> Result<AccountId> {
    counters::draw(tx, "account", 1).await.map(AccountId)
}

/// Stores a new account. Its wallet is opened by [`crate::ledger::open`].
///
/// # Errors
/// [`Error::Duplicate`] of `accounts.email_folded` when an account that is not closed has the address.
pub async fn insert(tx: &mut Tx, account: &Account) -> Result<()> {
    let (path, email_folded) = (path_text(&account.path), account.email.folded());
    let (name_folded, search) =
        folded(account.id, account.company.as_deref(), &account.owner, account.email.as_str());
    let settings = &account.settings;
    let auto = account.auto_transfer;
    tx.execute(
        "insert into accounts (id, parent_id, root_id, path, company, owner, email, email_folded, state,
            state_reason, state_at, credit_line, price_list_id, auto_threshold, auto_amount, auto_day_max,
            auto_month_max, default_sender, default_country, reload_lock, recipient_day_max, signing_key,
            signature_required, created_at, access, time_zone, language, second_factor_required, text_days,
            number_days, preset, name_folded, search, shared_from, shared_until)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
            $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35)",
        &[
            account.id.0.into(),
            account.parent.map(|p| p.0).into(),
            account.root().0.into(),
            Value::from(&path),
            account.company.as_ref().into(),
            Value::from(&account.owner),
            account.email.as_str().into(),
            if account.state == AccountState::Closed { Value::Null } else { Value::from(&email_folded) },
            account.state.code().into(),
            account.state_reason.as_ref().into(),
            account.created_at.0.into(),
            account.credit_line.0.into(),
            account.price_list.map(|list| list.0).into(),
            auto.map(|a| a.threshold.0).into(),
            auto.map(|a| a.amount.0).into(),
            auto.and_then(|a| a.day_max).map(|max| max.0).into(),
            auto.and_then(|a| a.month_max).map(|max| max.0).into(),
            settings.default_sender.as_ref().into(),
            settings.default_country.as_ref().into(),
            settings.reload_lock.into(),
            settings.recipient_day_max.into(),
            Value::from(&settings.signing_key),
            settings.signature_required.into(),
            account.created_at.0.into(),
            settings.access.code().into(),
            settings.time_zone.as_ref().into(),
            settings.language.as_ref().into(),
            settings.second_factor_required.into(),
            settings.text_days.into(),
            settings.number_days.into(),
            settings.preset.map_or("", Preset::as_str).into(),
            Value::from(&name_folded),
            Value::from(&search),
            account.shared_wallet.map(|shared| shared.from.0).into(),
            account.shared_wallet.and_then(|shared| shared.until).map(|until| until.0).into(),
        ],
    )
    .await?;
    counters::changed(tx).await
}

/// What an account is sorted by, and what it is searched in.
fn folded(id: AccountId, company: Option<&str>, owner: &str, email: &str) -> (String, String) {
    let company = company.unwrap_or("");
    let name = if company.is_empty() { owner } else { company };
    (name.to_lowercase(), format!("{company} {owner} {email} {id}").to_lowercase())
}

/// The account of a number.
pub async fn find(conn: &mut Conn, id: AccountId) -> Result<Option<Account>> {
    let sql = format!("select {COLUMNS} from accounts a where a.id = $1");
    conn.one(&sql, &[id.0.into()]).await?.map(account).transpose()
}

/// The account of a number, held until the end of the transaction: for what concerns its people. What
/// concerns its credits and its state holds its wallet instead.
pub async fn hold(tx: &mut Tx, id: AccountId) -> Result<Option<Account>> {
    let sql = format!("select {COLUMNS} from accounts a where a.id = $1 {{lock}}");
    tx.one(&sql, &[id.0.into()]).await?.map(account).transpose()
}

/// The accounts of these numbers, in the order of their numbers.
pub async fn find_all(conn: &mut Conn, ids: &[i64]) -> Result<Vec<Account>> {
    let sql = format!("select {COLUMNS} from accounts a where a.id in list($1) order by a.id");
    conn.query(&sql, &[ids.into()]).await?.into_iter().map(account).collect()
}

/// The account that is not closed and has the address.
pub async fn by_email(conn: &mut Conn, email: &Email) -> Result<Option<Account>> {
    let sql = format!("select {COLUMNS} from accounts a where a.email_folded = $1");
    let folded = email.folded();
    conn.one(&sql, &[Value::from(&folded)]).await?.map(account).transpose()
}

/// The accounts right below one, closed ones too, in the order of their numbers.
pub async fn children(conn: &mut Conn, parent: AccountId) -> Result<Vec<Account>> {
    let sql = format!("select {COLUMNS} from accounts a where a.parent_id = $1 order by a.id");
    conn.query(&sql, &[parent.0.into()]).await?.into_iter().map(account).collect()
}

/// The first of the accounts right below one, closed ones too, in the order of their numbers.
pub async fn first_children(conn: &mut Conn, parent: AccountId, limit: i64) -> Result<Vec<Account>> {
    let sql = format!("select {COLUMNS} from accounts a where a.parent_id = $1 order by a.id limit $2");
    conn.query(&sql, &[parent.0.into(), limit.into()]).await?.into_iter().map(account).collect()
}

/// The accounts below one at any distance, those nearer to it first.
pub async fn descendants(conn: &mut Conn, of: &Account) -> Result<Vec<Account>> {
    let path = path_text(&of.path);
    let sql = format!(
        "select {COLUMNS} from accounts a
        where a.root_id = $1 and a.id <> $2 and {}
        order by length(a.path), a.id",
        within("a.path", "$3")
    );
    let params = [of.root().0.into(), of.id.0.into(), Value::from(&path)];
    conn.query(&sql, &params).await?.into_iter().map(account).collect()
}

/// At most `limit` accounts with numbers above `after`, closed ones too, in the order of their
/// numbers.
pub async fn page(conn: &mut Conn, after: AccountId, limit: i64) -> Result<Vec<Account>> {
    let sql = format!("select {COLUMNS} from accounts a where a.id > $1 order by a.id limit $2");
    conn.query(&sql, &[after.0.into(), limit.into()]).await?.into_iter().map(account).collect()
}

/// The accounts that have this price list of their own, and are not closed.
pub async fn with_price_list(conn: &mut Conn, list: PriceListId) -> Result<Vec<Account>> {
    let sql = format!(
        "select {COLUMNS} from accounts a where a.price_list_id = $1 and a.state <> $2 order by a.id"
    );
    let params = [list.0.into(), AccountState::Closed.code().into()];
    conn.query(&sql, &params).await?.into_iter().map(account).collect()
}

/// The first main accounts that have no price list of their own and are not closed, by their numbers.
pub async fn main_without_prices(conn: &mut Conn, limit: i64) -> Result<Vec<Account>> {
    let sql = format!(
        "select {COLUMNS} from accounts a
        where a.parent_id is null and a.price_list_id is null and a.state <> $1 order by a.id limit $2"
    );
    let params = [AccountState::Closed.code().into(), limit.into()];
    conn.query(&sql, &params).await?.into_iter().map(account).collect()
}

/// Those accounts that have a price list of their own and are not closed, with whether they may
/// sell below cost.
pub async fn with_own_prices(conn: &mut Conn) -> Result<Vec<(Account, bool)>> {
    let sql = format!(
        "select {COLUMNS}, a.below_cost_allowed from accounts a
        where a.price_list_id is not null and a.state <> $1 order by a.id"
    );
    let rows = conn.query(&sql, &[AccountState::Closed.code().into()]).await?;
    rows.into_iter()
        .map(|row| Ok((row.flag(WIDTH)?, account(row)?)))
        .map(|r| r.map(|(b, a)| (a, b)))
        .collect()
}

/// Accounts that were set to closing at `since` or before.
pub async fn closing_since(conn: &mut Conn, since: Moment) -> Result<Vec<AccountId>> {
    let sql = "select id from accounts where state = $1 and state_at <= $2 order by id";
    let rows = conn.query(sql, &[AccountState::Closing.code().into(), since.0.into()]).await?;
    rows.iter().map(|row| row.int(0).map(AccountId)).collect()
}

/// Since when an account is in its state.
pub async fn state_since(conn: &mut Conn, id: AccountId) -> Result<Option<Moment>> {
    let row = conn.one("select state_at from accounts where id = $1", &[id.0.into()]).await?;
    row.map(|row| row.int(0).map(Moment)).transpose()
}

/// Which of these addresses, in lower case, accounts have that are not closed, and right below which
/// account those stand.
pub async fn addresses_taken(
    conn: &mut Conn,
    folded: &[String],
) -> Result<HashMap<String, Option<AccountId>>> {
    let sql = "select email_folded, parent_id from accounts where email_folded in list($1)";
    let rows = conn.query(sql, &[folded.into()]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.opt_int(1)?.map(AccountId)))).collect()
}

/// The states these accounts have of their own.
pub async fn states(conn: &mut Conn, ids: &[i64]) -> Result<HashMap<AccountId, AccountState>> {
    let rows = conn.query("select id, state from accounts where id in list($1)", &[ids.into()]).await?;
    rows.iter().map(|row| Ok((AccountId(row.int(0)?), state(row.int(1)?)?))).collect()
}

/// What an account is and has: a line of a list of accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The account.
    pub account: Account,
    /// What its wallet holds.
    pub wallet: Credits,
    /// What free credit it has.
    pub promo: Credits,
    /// What it has used in all: charges less refunds.
    pub usage: Credits,
}

/// The accounts right below one that are not closed, with their balances, in the order of their
/// numbers: one statement, however many they are.
pub async fn lines_of_children(conn: &mut Conn, parent: AccountId) -> Result<Vec<Line>> {
    lines(conn, "a.parent_id = $1 and a.state <> 3", parent).await
}

/// The line of one account, whatever its state.
pub async fn line(conn: &mut Conn, id: AccountId) -> Result<Option<Line>> {
    Ok(lines(conn, "a.id = $1", id).await?.pop())
}

async fn lines(conn: &mut Conn, which: &str, id: AccountId) -> Result<Vec<Line>> {
    let sql = format!(
        "select {COLUMNS}, wallet.balance, promo.balance, coalesce((
            select cast(sum(u.cost - u.refunds) as bigint) from account_usage u where u.account_id = a.id), 0)
        from accounts a
        left join ledger_accounts wallet on wallet.id = 1000 + a.id * 2
        left join ledger_accounts promo on promo.id = 1001 + a.id * 2
        where {which}
        order by a.id"
    );
    let of_row = |row: Row| {
        Ok(Line {
            wallet: Credits(row.opt_int(WIDTH)?.unwrap_or(0)),
            promo: Credits(row.opt_int(WIDTH + 1)?.unwrap_or(0)),
            usage: Credits(row.int(WIDTH + 2)?),
            account: account(row)?,
        })
    };
    conn.query(&sql, &[id.0.into()]).await?.into_iter().map(of_row).collect()
}

/// What the wallets and the promo accounts of these accounts hold.
pub async fn balances(conn: &mut Conn, ids: &[i64]) -> Result<HashMap<AccountId, (Credits, Credits)>> {
    let sql = "select id, account_id, balance from ledger_accounts where id in list($1)";
    let place =
        |id: &i64| [LedgerAccount::Wallet(AccountId(*id)).id(), LedgerAccount::Promo(AccountId(*id)).id()];
    let places: Vec<i64> = ids.iter().flat_map(place).collect();
    let mut all: HashMap<AccountId, (Credits, Credits)> = HashMap::with_capacity(ids.len());
    for row in conn.query(sql, &[places.as_slice().into()]).await? {
        let balances = all.entry(AccountId(row.int(1)?)).or_default();
        let amount = Credits(row.int(2)?);
        match LedgerAccount::from_id(row.int(0)?) {
            Some(LedgerAccount::Promo(_)) => balances.1 = amount,
            _ => balances.0 = amount,
        }
    }
    Ok(all)
}

/// What these accounts have used in all: charges less refunds. Those without any are left out.
pub async fn total_usage(conn: &mut Conn, ids: &[i64]) -> Result<HashMap<AccountId, Credits>> {
    let sql = "select account_id, cast(sum(cost - refunds) as bigint) from account_usage
        where account_id in list($1) group by account_id";
    let rows = conn.query(sql, &[ids.into()]).await?;
    rows.iter().map(|row| Ok((AccountId(row.int(0)?), Credits(row.int(1)?)))).collect()
}

/// How many refunds of the account's messages wait until an account above can give its margin back.
pub async fn refunds_waiting(conn: &mut Conn, id: AccountId) -> Result<i64> {
    let sql = "select count(*) from jobs j join messages m on m.id = j.reference_id
        where j.kind = 'refund' and m.account_id = $1";
    conn.number(sql, &[id.0.into()]).await
}

/// Whether the operator has suspended an account and not lifted it since.
pub async fn operator_lock(conn: &mut Conn, id: AccountId) -> Result<bool> {
    Ok(conn.number("select operator_lock from accounts where id = $1", &[id.0.into()]).await? == 1)
}

/// Notes that the operator has suspended an account, or has lifted it.
pub async fn set_operator_lock(tx: &mut Tx, id: AccountId, locked: bool) -> Result<()> {
    let sql = "update accounts set operator_lock = $2 where id = $1";
    tx.execute(sql, &[id.0.into(), locked.into()]).await.map(drop)
}

/// Puts an account into a state. The address of a closed one is free again.
pub async fn set_state(
    tx: &mut Tx,
    id: AccountId,
    state: AccountState,
    reason: Option<&str>,
    now: Moment,
) -> Result<()> {
    tx.execute(
        "update accounts set state = $2, state_reason = $3, state_at = $4,
            email_folded = case when cast($2 as bigint) = 3 then null else email_folded end
        where id = $1",
        &[id.0.into(), state.code().into(), reason.into(), now.0.into()],
    )
    .await?;
    counters::changed(tx).await
}

/// Sets the rule by which credit comes from above, or takes it away. A new rule may act at once;
/// what came today and this month still counts.
pub async fn set_auto_transfer(tx: &mut Tx, id: AccountId, rule: Option<AutoTransfer>) -> Result<()> {
    tx.execute(
        "update accounts set auto_threshold = $2, auto_amount = $3, auto_day_max = $4, auto_month_max = $5,
            auto_armed = 1
        where id = $1",
        &[
            id.0.into(),
            rule.map(|r| r.threshold.0).into(),
            rule.map(|r| r.amount.0).into(),
            rule.and_then(|r| r.day_max).map(|max| max.0).into(),
            rule.and_then(|r| r.month_max).map(|max| max.0).into(),
        ],
    )
    .await?;
    counters::changed(tx).await
}

/// Sets from when until when an account uses the wallet of the one above. The caller holds both wallets.
pub async fn set_shared_wallet(tx: &mut Tx, id: AccountId, shared: Option<SharedWallet>) -> Result<()> {
    let sql = "update accounts set shared_from = $2, shared_until = $3 where id = $1";
    let (from, until) = (shared.map(|s| s.from.0), shared.and_then(|s| s.until).map(|until| until.0));
    tx.execute(sql, &[id.0.into(), from.into(), until.into()]).await?;
    counters::changed(tx).await
}

/// Lets the rules of the accounts right below act again: the account above has got credit. Nothing
/// that is remembered changes.
pub async fn arm_children(tx: &mut Tx, parent: AccountId) -> Result<()> {
    let sql = "update accounts set auto_armed = 1
        where parent_id = $1 and auto_armed = 0 and auto_amount is not null";
    tx.execute(sql, &[parent.0.into()]).await.map(drop)
}

/// Sets how far below zero the wallet may go, in the account and in the books. The caller holds
/// the wallet.
///
/// # Errors
/// [`Error::Rule`] when the wallet is further down already.
pub async fn set_credit_line(tx: &mut Tx, id: AccountId, credit_line: Credits) -> Result<()> {
    crate::ledger::set_credit_line(tx, id, credit_line).await?;
    let sql = "update accounts set credit_line = $2 where id = $1";
    tx.execute(sql, &[id.0.into(), credit_line.0.into()]).await?;
    counters::changed(tx).await
}

/// Gives an account a price list of its own, or takes it away, and says whether it may sell for less
/// than the account above pays.
pub async fn set_price_list(
    tx: &mut Tx,
    id: AccountId,
    list: Option<PriceListId>,
    below_cost_allowed: bool,
) -> Result<()> {
    let sql = "update accounts set price_list_id = $2, below_cost_allowed = $3 where id = $1";
    tx.execute(sql, &[id.0.into(), list.map(|l| l.0).into(), below_cost_allowed.into()]).await?;
    counters::changed(tx).await
}

/// Sets what an account chose, but for what it was created as.
pub async fn set_settings(tx: &mut Tx, id: AccountId, settings: &AccountSettings) -> Result<()> {
    tx.execute(
        "update accounts set default_sender = $2, default_country = $3, reload_lock = $4,
            recipient_day_max = $5, signing_key = $6, signature_required = $7, access = $8, time_zone = $9,
            language = $10, second_factor_required = $11, text_days = $12, number_days = $13
        where id = $1",
        &[
            id.0.into(),
            settings.default_sender.as_ref().into(),
            settings.default_country.as_ref().into(),
            settings.reload_lock.into(),
            settings.recipient_day_max.into(),
            Value::from(&settings.signing_key),
            settings.signature_required.into(),
            settings.access.code().into(),
            settings.time_zone.as_ref().into(),
            settings.language.as_ref().into(),
            settings.second_factor_required.into(),
            settings.text_days.into(),
            settings.number_days.into(),
        ],
    )
    .await?;
    counters::changed(tx).await
}

/// Sets the company's name and the owner's.
pub async fn set_names(tx: &mut Tx, id: AccountId, company: Option<&str>, owner: &str) -> Result<()> {
    let row = tx.one("select email from accounts where id = $1", &[id.0.into()]).await?;
    let email = row.map_or(String::new(), |mut row| row.take_text(0));
    let (name_folded, search) = folded(id, company, owner, &email);
    let sql = "update accounts set company = $2, owner = $3, name_folded = $4, search = $5 where id = $1";
    let params = [id.0.into(), company.into(), owner.into(), Value::from(&name_folded), Value::from(&search)];
    tx.execute(sql, &params).await?;
    counters::changed(tx).await
}

/// The condition that a path is of an account, or below it: whatever goes on after its path begins with a
/// digit, and those lie before the colon. An index of roots and paths serves it.
pub(crate) fn within(path: &str, of: &str) -> String {
    format!("{path} >= {of} and {path} < {of} || ':'")
}

/// A path as it is stored: `1900001/1900005/`.
pub(crate) fn path_text(path: &[AccountId]) -> String {
    path.iter().map(|id| format!("{id}/")).collect()
}

/// The path of a stored one.
pub(crate) fn path_of(text: &str) -> Result<Vec<AccountId>> {
    let unreadable = || Error::unreadable("accounts.path", text);
    let ids = text.strip_suffix('/').ok_or_else(unreadable)?.split('/');
    ids.map(|id| id.parse().map(AccountId).map_err(|_| unreadable())).collect()
}

fn state(code: i64) -> Result<AccountState> {
    AccountState::from_code(code).ok_or_else(|| Error::unreadable("accounts.state", code))
}

/// Whether an account uses the wallet of the one above, as two columns tell from here on.
pub(crate) fn shared_wallet(row: &Row, column: usize) -> Result<Option<SharedWallet>> {
    let until = row.opt_int(column + 1)?.map(Moment);
    Ok(row.opt_int(column)?.map(|from| SharedWallet { from: Moment(from), until }))
}

fn account(mut row: Row) -> Result<Account> {
    let auto_transfer = match (row.opt_int(10)?, row.opt_int(11)?) {
        (Some(threshold), Some(amount)) => Some(AutoTransfer {
            threshold: Credits(threshold),
            amount: Credits(amount),
            day_max: row.opt_int(12)?.map(Credits),
            month_max: row.opt_int(13)?.map(Credits),
        }),
        _ => None,
    };
    let email = row.take_text(5);
    Ok(Account {
        id: AccountId(row.int(0)?),
        parent: row.opt_int(1)?.map(AccountId),
        path: path_of(&row.take_text(2))?,
        company: row.opt_text(3)?,
        owner: row.take_text(4),
        email: Email::parse(&email).map_err(|_| Error::unreadable("accounts.email", &email))?,
        state: state(row.int(6)?)?,
        state_reason: row.opt_text(7)?,
        credit_line: Credits(row.int(8)?),
        price_list: row.opt_int(9)?.map(PriceListId),
        auto_transfer,
        shared_wallet: shared_wallet(&row, 28)?,
        settings: AccountSettings {
            default_sender: row.opt_text(14)?,
            default_country: row.opt_text(15)?,
            reload_lock: row.flag(16)?,
            recipient_day_max: row.int(17)?,
            signing_key: row.take_text(18),
            signature_required: row.flag(19)?,
            access: {
                let code = row.int(21)?;
                Access::from_code(code).ok_or_else(|| Error::unreadable("accounts.access", code))?
            },
            time_zone: row.opt_text(22)?,
            language: row.opt_text(23)?,
            second_factor_required: row.flag(24)?,
            text_days: row.opt_int(25)?,
            number_days: row.opt_int(26)?,
            preset: Preset::parse(&row.take_text(27)),
        },
        created_at: Moment(row.int(20)?),
    })
}
