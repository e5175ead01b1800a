//! Invitations: who was asked by mail to become a member, and what became of it. The secret of the
//! link is stored as its hash.

use domain::account::Email;
use domain::id::AccountId;
use domain::member::Role;
use domain::moment::Moment;

use crate::counters;
use crate::db::{Conn, Error, Result, Row, Tx, Value};

/// An invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Its number.
    pub id: i64,
    /// Into which account.
    pub account: AccountId,
    /// To which address.
    pub email: Email,
    /// As what.
    pub role: Role,
    /// Whether the role shall also count in every account below.
    pub includes_subaccounts: bool,
    /// Who invited, in words.
    pub invited_by: String,
    /// When.
    pub created_at: Moment,
    /// When it was mailed last.
    pub sent_at: Moment,
    /// Until when it can be accepted.
    pub expires_at: Moment,
    /// When it was accepted.
    pub accepted_at: Option<Moment>,
    /// When it was taken back.
    pub revoked_at: Option<Moment>,
}

impl Invitation {
    /// Whether it can be accepted at this time.
    pub fn is_open(&self, now: Moment) -> bool {
        self.accepted_at.is_none() && self.revoked_at.is_none() && now < self.expires_at
    }
}

const COLUMNS: &str =
    "id, account_id, email, role, includes_subaccounts, invited_by, created_at, sent_at, expires_at,
    accepted_at, revoked_at";

fn invitation(mut row: Row) -> Result<Invitation> {
    let (email, role) = (row.take_text(2), row.int(3)?);
    Ok(Invitation {
        id: row.int(0)?,
        account: AccountId(row.int(1)?),
        email: Email::parse(&email).map_err(|_| Error::unreadable("invitations.email", &email))?,
        role: Role::from_code(role).ok_or_else(|| Error::unreadable("invitations.role", role))?,
        includes_subaccounts: row.flag(4)?,
        invited_by: row.take_text(5),
        created_at: Moment(row.int(6)?),
        sent_at: Moment(row.int(7)?),
        expires_at: Moment(row.int(8)?),
        accepted_at: row.opt_int(9)?.map(Moment),
        revoked_at: row.opt_int(10)?.map(Moment),
    })
}

/// Draws the number of a new invitation.
pub async fn draw_id(tx: &mut Tx) -> Result<i64> {
    counters::draw(tx, "id", 1).await
}

/// Stores a new invitation with the hash of its secret.
///
/// # Errors
/// [`Error::Duplicate`] when one waits for the address in the account.
pub async fn insert(tx: &mut Tx, new: &Invitation, hash: &str) -> Result<()> {
    let folded = new.email.folded();
    tx.execute(
        "insert into invitations (id, account_id, email, email_folded, role, includes_subaccounts, hash, invited_by,
            created_at, sent_at, expires_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        &[
            new.id.into(),
            new.account.0.into(),
            new.email.as_str().into(),
            Value::from(&folded),
            new.role.code().into(),
            new.includes_subaccounts.into(),
            hash.into(),
            Value::from(&new.invited_by),
            new.created_at.0.into(),
            new.sent_at.0.into(),
            new.expires_at.0.into(),
        ],
    )
    .await
    .map(drop)
}

/// The invitation whose secret has this hash.
pub async fn by_hash(conn: &mut Conn, hash: &str) -> Result<Option<Invitation>> {
    let sql = format!("select {COLUMNS} from invitations where hash = $1");
    conn.one(&sql, &[hash.into()]).await?.map(invitation).transpose()
}

/// The invitation of a number, held until the end of the transaction.
pub async fn hold(tx: &mut Tx, id: i64) -> Result<Option<Invitation>> {
    let sql = format!("select {COLUMNS} from invitations where id = $1 {{lock}}");
    tx.one(&sql, &[id.into()]).await?.map(invitation).transpose()
}

/// The invitation of a number.
pub async fn find(conn: &mut Conn, id: i64) -> Result<Option<Invitation>> {
    let sql = format!("select {COLUMNS} from invitations where id = $1");
    conn.one(&sql, &[id.into()]).await?.map(invitation).transpose()
}

/// The invitation into an account that was neither accepted nor taken back, by the address in lower
/// case. It may have lapsed.
pub async fn waiting(conn: &mut Conn, account: AccountId, folded: &str) -> Result<Option<Invitation>> {
    let sql = format!(
        "select {COLUMNS} from invitations
        where account_id = $1 and email_folded = $2 and accepted_at is null and revoked_at is null"
    );
    conn.one(&sql, &[account.0.into(), folded.into()]).await?.map(invitation).transpose()
}

/// The invitations into an account that were neither accepted nor taken back, the newest first. Some
/// may have lapsed.
pub async fn of_account(conn: &mut Conn, account: AccountId) -> Result<Vec<Invitation>> {
    let sql = format!(
        "select {COLUMNS} from invitations
        where account_id = $1 and accepted_at is null and revoked_at is null order by id desc"
    );
    conn.query(&sql, &[account.0.into()]).await?.into_iter().map(invitation).collect()
}

/// What an address, in lower case, is invited to and may still accept.
pub async fn of_address(conn: &mut Conn, folded: &str, now: Moment) -> Result<Vec<Invitation>> {
    let sql = format!(
        "select {COLUMNS} from invitations
        where email_folded = $1 and accepted_at is null and revoked_at is null and expires_at > $2 order by id"
    );
    conn.query(&sql, &[folded.into(), now.0.into()]).await?.into_iter().map(invitation).collect()
}

/// Gives an invitation a new secret and a new time; the old link no longer works.
pub async fn renew(tx: &mut Tx, id: i64, hash: &str, sent_at: Moment, expires_at: Moment) -> Result<()> {
    let sql = "update invitations set hash = $2, sent_at = $3, expires_at = $4 where id = $1";
    tx.execute(sql, &[id.into(), hash.into(), sent_at.0.into(), expires_at.0.into()]).await.map(drop)
}

/// Notes that an invitation was accepted. Tells whether it was still waiting for that.
pub async fn accept(tx: &mut Tx, id: i64, now: Moment) -> Result<bool> {
    let sql = "update invitations set accepted_at = $2
        where id = $1 and accepted_at is null and revoked_at is null and expires_at > $2";
    Ok(tx.execute(sql, &[id.into(), now.0.into()]).await? == 1)
}

/// Takes an invitation back. Tells whether it was still waiting.
pub async fn revoke(tx: &mut Tx, id: i64, now: Moment) -> Result<bool> {
    let sql = "update invitations set revoked_at = $2
        where id = $1 and accepted_at is null and revoked_at is null";
    Ok(tx.execute(sql, &[id.into(), now.0.into()]).await? == 1)
}

/// Takes back all that wait in an account. Tells how many.
pub async fn revoke_all(tx: &mut Tx, account: AccountId, now: Moment) -> Result<u64> {
    let sql = "update invitations set revoked_at = $2
        where account_id = $1 and accepted_at is null and revoked_at is null";
    tx.execute(sql, &[account.0.into(), now.0.into()]).await
}
