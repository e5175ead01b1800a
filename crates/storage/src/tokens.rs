//! Links that were mailed, and what is held between two steps of a ceremony. Each is found by the
//! hash of a secret, serves one kind of thing, and is taken once.

use domain::id::LoginId;
use domain::moment::Moment;

use crate::db::{Conn, Result, Row, Tx};

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The first login of an installation.
    SetUp,
    /// Choosing a new password.
    PasswordReset,
    /// Confirming a new address, which is the content.
    AddressChange,
    /// A secret for codes that is not confirmed yet.
    Totp,
    /// A passkey that is being registered.
    PasskeyRegistration,
    /// A passkey that is asked for.
    PasskeyRequest,
    /// A sign-in at a provider that is under way.
    ProviderRequest,
    /// Who a provider says somebody is, until their password confirms it.
    ProviderIdentity,
}

impl Kind {
    /// The word the books use.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::SetUp => "set_up",
            Kind::PasswordReset => "password_reset",
            Kind::AddressChange => "address_change",
            Kind::Totp => "totp",
            Kind::PasskeyRegistration => "passkey_registration",
            Kind::PasskeyRequest => "passkey_request",
            Kind::ProviderRequest => "provider_request",
            Kind::ProviderIdentity => "provider_identity",
        }
    }
}

/// What is held.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// Whose it is, where that is known.
    pub login: Option<LoginId>,
    /// What it holds.
    pub content: String,
    /// Until when it can be taken.
    pub expires_at: Moment,
}

/// Holds something under the hash of a secret.
pub async fn insert(tx: &mut Tx, kind: Kind, hash: &str, token: &Token, now: Moment) -> Result<()> {
    let sql = "insert into tokens (hash, kind, login_id, content, created_at, expires_at)
        values ($1, $2, $3, $4, $5, $6)";
    let params = [
        hash.into(),
        kind.as_str().into(),
        token.login.map(|id| id.0).into(),
        token.content.as_str().into(),
        now.0.into(),
        token.expires_at.0.into(),
    ];
    tx.execute(sql, &params).await.map(drop)
}

/// What is held under a hash, if it can still be taken. It stays.
pub async fn find(conn: &mut Conn, kind: Kind, hash: &str, now: Moment) -> Result<Option<Token>> {
    let sql = "select login_id, content, expires_at from tokens
        where hash = $1 and kind = $2 and used_at is null and expires_at > $3";
    conn.one(sql, &[hash.into(), kind.as_str().into(), now.0.into()]).await?.map(token).transpose()
}

/// Takes what is held under a hash. Of several who try at once one gets it.
pub async fn take(tx: &mut Tx, kind: Kind, hash: &str, now: Moment) -> Result<Option<Token>> {
    let sql = "update tokens set used_at = $3
        where hash = $1 and kind = $2 and used_at is null and expires_at > $3
        returning login_id, content, expires_at";
    tx.one(sql, &[hash.into(), kind.as_str().into(), now.0.into()]).await?.map(token).transpose()
}

/// Lets no token of a kind of a login be taken any more.
pub async fn spoil(tx: &mut Tx, kind: Kind, login: LoginId, now: Moment) -> Result<()> {
    let sql = "update tokens set used_at = $3 where login_id = $1 and kind = $2 and used_at is null";
    tx.execute(sql, &[login.0.into(), kind.as_str().into(), now.0.into()]).await.map(drop)
}

/// Lets no token of a kind be taken any more.
pub async fn spoil_all(tx: &mut Tx, kind: Kind, now: Moment) -> Result<()> {
    let sql = "update tokens set used_at = $2 where kind = $1 and used_at is null";
    tx.execute(sql, &[kind.as_str().into(), now.0.into()]).await.map(drop)
}

/// Forgets tokens whose time was over at a moment.
pub async fn forget(tx: &mut Tx, before: Moment) -> Result<u64> {
    tx.execute("delete from tokens where expires_at < $1", &[before.0.into()]).await
}

fn token(mut row: Row) -> Result<Token> {
    Ok(Token {
        login: row.opt_int(0)?.map(LoginId),
        expires_at: Moment(row.int(2)?),
        content: row.take_text(1),
    })
}
