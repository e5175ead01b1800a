//! Members: which people are in an account, as what, and where one person is a member.

use domain::id::{AccountId, LoginId, MemberId};
use domain::member::{Member, Role};
use domain::moment::Moment;
use domain::permission::Standing;

use crate::counters;
use crate::db::{Conn, Error, Result, Row, Tx, Value};

/// A member and the person behind it: a line of a list of members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The membership.
    pub member: Member,
    /// The person's name.
    pub name: String,
    /// Their address.
    pub email: String,
    /// The language they chose.
    pub language: Option<String>,
    /// Whether they have a second factor.
    pub second_factor: bool,
    /// When they signed in last.
    pub last_at: Option<Moment>,
    /// Whether they may sign in at all.
    pub enabled: bool,
}

const COLUMNS: &str = "m.id, m.account_id, m.login_id, m.role, m.includes_subaccounts, m.created_at";
/// How many columns that is.
const WIDTH: usize = 6;

fn role(code: i64) -> Result<Role> {
    Role::from_code(code).ok_or_else(|| Error::unreadable("members.role", code))
}

fn member(row: &Row) -> Result<Member> {
    Ok(Member {
        id: MemberId(row.int(0)?),
        account: AccountId(row.int(1)?),
        login: LoginId(row.int(2)?),
        role: role(row.int(3)?)?,
        includes_subaccounts: row.flag(4)?,
        created_at: Moment(row.int(5)?),
    })
}

/// Makes a login a member. It is seen by all processes within two seconds.
///
/// # Errors
/// [`Error::Duplicate`] when the login is a member already, or the account has an owner already.
pub async fn insert(
    tx: &mut Tx,
    account: AccountId,
    login: LoginId,
    role: Role,
    includes_subaccounts: bool,
    now: Moment,
) -> Result<Member> {
    let id = counters::draw(tx, "id", 1).await?;
    tx.execute(
        "insert into members (id, account_id, login_id, role, includes_subaccounts, created_at)
        values ($1, $2, $3, $4, $5, $6)",
        &[
            id.into(),
            account.0.into(),
            login.0.into(),
            role.code().into(),
            includes_subaccounts.into(),
            now.0.into(),
        ],
    )
    .await?;
    counters::changed(tx).await?;
    Ok(Member { id: MemberId(id), account, login, role, includes_subaccounts, created_at: now })
}

/// The member of a number.
pub async fn find(conn: &mut Conn, id: MemberId) -> Result<Option<Member>> {
    let sql = format!("select {COLUMNS} from members m where m.id = $1");
    conn.one(&sql, &[id.0.into()]).await?.as_ref().map(member).transpose()
}

/// What a login is in an account, if it is anything there.
pub async fn of(conn: &mut Conn, account: AccountId, login: LoginId) -> Result<Option<Member>> {
    let sql = format!("select {COLUMNS} from members m where m.account_id = $1 and m.login_id = $2");
    conn.one(&sql, &[account.0.into(), login.0.into()]).await?.as_ref().map(member).transpose()
}

/// Where a login is a member, in the order of the accounts' numbers.
pub async fn of_login(conn: &mut Conn, login: LoginId) -> Result<Vec<Member>> {
    let sql = format!("select {COLUMNS} from members m where m.login_id = $1 order by m.account_id");
    conn.query(&sql, &[login.0.into()]).await?.iter().map(member).collect()
}

/// The same as what [`domain::permission::may`] judges by.
pub async fn standings(conn: &mut Conn, login: LoginId) -> Result<Vec<Standing>> {
    let standing = |member: Member| Standing {
        account: member.account,
        role: member.role,
        includes_subaccounts: member.includes_subaccounts,
    };
    Ok(of_login(conn, login).await?.into_iter().map(standing).collect())
}

/// The members of an account and who they are: the owner first, then by role and name.
pub async fn of_account(conn: &mut Conn, account: AccountId) -> Result<Vec<Line>> {
    lines(conn, "m.account_id = $1", account.0).await
}

/// One member, and who it is.
pub async fn line(conn: &mut Conn, id: MemberId) -> Result<Option<Line>> {
    Ok(lines(conn, "m.id = $1", id.0).await?.pop())
}

/// The owner of an account.
pub async fn owner(conn: &mut Conn, account: AccountId) -> Result<Option<Line>> {
    Ok(lines(conn, "m.account_id = $1 and m.role = 0", account.0).await?.pop())
}

async fn lines(conn: &mut Conn, which: &str, id: i64) -> Result<Vec<Line>> {
    let sql = format!(
        "select {COLUMNS}, l.name, l.email, l.language, l.last_at, l.disabled_at, case when l.totp_at is not null
                or exists (select 1 from passkeys p where p.login_id = l.id) then 1 else 0 end
        from members m join logins l on l.id = m.login_id
        where {which}
        order by m.role, lower(l.name), m.id"
    );
    let of_row = |mut row: Row| {
        Ok(Line {
            member: member(&row)?,
            name: row.take_text(WIDTH),
            email: row.take_text(WIDTH + 1),
            language: row.opt_text(WIDTH + 2)?,
            last_at: row.opt_int(WIDTH + 3)?.map(Moment),
            enabled: row.opt_int(WIDTH + 4)?.is_none(),
            second_factor: row.flag(WIDTH + 5)?,
        })
    };
    conn.query(&sql, &[id.into()]).await?.into_iter().map(of_row).collect()
}

/// How many members an account has.
pub async fn count(conn: &mut Conn, account: AccountId) -> Result<i64> {
    conn.number("select count(*) from members where account_id = $1", &[account.0.into()]).await
}

/// Whether anybody with this address is a member of the account. `folded`: the address in lower case.
pub async fn has_address(conn: &mut Conn, account: AccountId, folded: &str) -> Result<bool> {
    let sql = "select 1 from members m join logins l on l.id = m.login_id
        where m.account_id = $1 and l.email_folded = $2";
    Ok(conn.one(sql, &[account.0.into(), folded.into()]).await?.is_some())
}

/// A login, as far as memberships need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Its number.
    pub login: LoginId,
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
    /// The address in lower case.
    pub email_folded: String,
}

/// The person behind a login that may sign in.
pub async fn person(conn: &mut Conn, login: LoginId) -> Result<Option<Person>> {
    persons(conn, "id = $1", login.0.into()).await
}

/// The person with an address, in lower case, who may sign in.
pub async fn person_of_address(conn: &mut Conn, folded: &str) -> Result<Option<Person>> {
    persons(conn, "email_folded = $1", folded.into()).await
}

async fn persons(conn: &mut Conn, which: &str, value: Value<'_>) -> Result<Option<Person>> {
    let sql =
        format!("select id, name, email, email_folded from logins where {which} and disabled_at is null");
    let row = conn.one(&sql, &[value]).await?;
    row.map(|mut row| {
        Ok(Person {
            login: LoginId(row.int(0)?),
            name: row.take_text(1),
            email: row.take_text(2),
            email_folded: row.take_text(3),
        })
    })
    .transpose()
}

/// Changes what a member is. Seen by all processes within two seconds.
///
/// # Errors
/// [`Error::Duplicate`] when the account would have two owners.
pub async fn set_role(tx: &mut Tx, id: MemberId, role: Role, includes_subaccounts: bool) -> Result<()> {
    let sql = "update members set role = $2, includes_subaccounts = $3 where id = $1";
    tx.execute(sql, &[id.0.into(), role.code().into(), includes_subaccounts.into()]).await?;
    counters::changed(tx).await
}

/// Ends a membership. Seen by all processes within two seconds.
pub async fn remove(tx: &mut Tx, id: MemberId) -> Result<()> {
    tx.execute("delete from members where id = $1", &[id.0.into()]).await?;
    counters::changed(tx).await
}

/// The owner's word that another member shall be the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Of which account.
    pub account: AccountId,
    /// To whom.
    pub member: MemberId,
    /// By whom.
    pub by: LoginId,
    /// When.
    pub created_at: Moment,
    /// Until when they may accept.
    pub expires_at: Moment,
}

/// Offers the ownership, in place of an earlier offer.
pub async fn offer(tx: &mut Tx, offer: &Offer) -> Result<()> {
    tx.execute(
        "insert into ownership_offers (account_id, member_id, offered_by, created_at, expires_at)
        values ($1, $2, $3, $4, $5)
        on conflict (account_id) do update set member_id = excluded.member_id, offered_by = excluded.offered_by,
            created_at = excluded.created_at, expires_at = excluded.expires_at",
        &[
            offer.account.0.into(),
            offer.member.0.into(),
            offer.by.0.into(),
            offer.created_at.0.into(),
            offer.expires_at.0.into(),
        ],
    )
    .await
    .map(drop)
}

/// The offer of an account's ownership that still stands.
pub async fn offered(conn: &mut Conn, account: AccountId, now: Moment) -> Result<Option<Offer>> {
    let sql = "select account_id, member_id, offered_by, created_at, expires_at from ownership_offers
        where account_id = $1 and expires_at > $2";
    let row = conn.one(sql, &[account.0.into(), now.0.into()]).await?;
    row.map(|row| {
        Ok(Offer {
            account: AccountId(row.int(0)?),
            member: MemberId(row.int(1)?),
            by: LoginId(row.int(2)?),
            created_at: Moment(row.int(3)?),
            expires_at: Moment(row.int(4)?),
        })
    })
    .transpose()
}

/// Takes an offer of the ownership off the table. Tells whether there was one.
pub async fn end_offer(tx: &mut Tx, account: AccountId) -> Result<bool> {
    let sql = "delete from ownership_offers where account_id = $1";
    Ok(tx.execute(sql, &[account.0.into()]).await? == 1)
}
