//! Logins: people, and what they prove who they are by. Secrets are read by [`secrets`] alone.
//!
//! What others remember of a login makes a new version ([`counters::changed`]), last in its function.

use domain::account::Email;
use domain::id::{AccountId, LoginId};
use domain::login::Login;
use domain::moment::Moment;

use crate::counters;
use crate::db::{Bulk, Conn, Error, Kind, Result, Row, Tx, Value};

const COLUMNS: &str = "l.id, l.email, l.name, l.language, l.operator, l.password_at, l.totp_at,
        (select count(*) from passkeys p where p.login_id = l.id), l.disabled_at, l.created_at, l.last_at";

/// A login to be stored.
#[derive(Clone, Copy)]
pub struct NewLogin<'a> {
    /// Their address.
    pub email: &'a Email,
    /// Their name.
    pub name: &'a str,
    /// The language they read.
    pub language: Option<&'a str>,
    /// Whether they run the installation.
    pub operator: bool,
    /// Their password as a PHC string.
    pub password: Option<&'a str>,
    /// The UUID authenticators know them by.
    pub webauthn_id: &'a str,
}

/// What a person proves who they are by. Not to be shown or logged, so it has no `Debug`.
#[derive(Clone)]
pub struct Secrets {
    /// The password as a PHC string.
    pub password: Option<String>,
    /// The secret codes are made of, sealed; only once it counts.
    pub totp: Option<String>,
    /// The UUID authenticators know the person by.
    pub webauthn_id: String,
}

/// Stores a new login and gives its number. Others that create one at the same time wait for this
/// transaction, so that what is asked afterwards ([`any`]) stays true.
///
/// # Errors
/// [`Error::Duplicate`] of `logins.email_folded` when somebody has the address.
pub async fn insert(tx: &mut Tx, new: NewLogin<'_>, now: Moment) -> Result<LoginId> {
    let id = counters::draw(tx, "id", 1).await?;
    let folded = new.email.folded();
    tx.execute(
        "insert into logins (id, email, email_folded, name, language, operator, password, password_at, webauthn_id,
            created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &[
            id.into(),
            new.email.as_str().into(),
            Value::from(&folded),
            new.name.into(),
            new.language.into(),
            new.operator.into(),
            new.password.into(),
            new.password.map(|_| now.0).into(),
            new.webauthn_id.into(),
            now.0.into(),
        ],
    )
    .await?;
    Ok(LoginId(id))
}

/// The login of a number.
pub async fn find(conn: &mut Conn, id: LoginId) -> Result<Option<Login>> {
    let sql = format!("select {COLUMNS} from logins l where l.id = $1");
    conn.one(&sql, &[id.0.into()]).await?.map(login).transpose()
}

/// The login of a number, held so that nobody changes it before the transaction ends.
pub async fn hold(tx: &mut Tx, id: LoginId) -> Result<Option<Login>> {
    tx.query("select id from logins where id = $1 {lock}", &[id.0.into()]).await?;
    find(tx, id).await
}

/// The login with this address.
pub async fn by_email(conn: &mut Conn, email: &Email) -> Result<Option<Login>> {
    let sql = format!("select {COLUMNS} from logins l where l.email_folded = $1");
    let folded = email.folded();
    conn.one(&sql, &[Value::from(&folded)]).await?.map(login).transpose()
}

/// The login authenticators know by this UUID.
pub async fn by_webauthn_id(conn: &mut Conn, webauthn_id: &str) -> Result<Option<Login>> {
    let sql = format!("select {COLUMNS} from logins l where l.webauthn_id = $1");
    conn.one(&sql, &[webauthn_id.into()]).await?.map(login).transpose()
}

/// Whether there is any login at all.
pub async fn any(conn: &mut Conn) -> Result<bool> {
    Ok(conn.number("select count(*) from (select id from logins limit 1) l", &[]).await? > 0)
}

/// At most `limit` logins with numbers above `after`, in the order of their numbers.
pub async fn page(conn: &mut Conn, after: LoginId, limit: i64) -> Result<Vec<Login>> {
    let sql = format!("select {COLUMNS} from logins l where l.id > $1 order by l.id limit $2");
    conn.query(&sql, &[after.0.into(), limit.into()]).await?.into_iter().map(login).collect()
}

/// How many others run the installation and may sign in, held so that they go on doing so until the
/// transaction ends.
pub async fn other_operators(tx: &mut Tx, id: LoginId) -> Result<usize> {
    let sql =
        "select id from logins where operator = 1 and disabled_at is null and id <> $1 order by id {lock}";
    Ok(tx.query(sql, &[id.0.into()]).await?.len())
}

/// What a login proves who it is by.
pub async fn secrets(conn: &mut Conn, id: LoginId) -> Result<Option<Secrets>> {
    let sql = "select password, case when totp_at is null then null else totp_secret end, webauthn_id
        from logins where id = $1";
    let secrets = |mut row: Row| {
        Ok(Secrets { password: row.opt_text(0)?, totp: row.opt_text(1)?, webauthn_id: row.take_text(2) })
    };
    conn.one(sql, &[id.0.into()]).await?.map(secrets).transpose()
}

/// Which of these accounts require a second factor of whoever acts in them.
pub async fn requiring_second_factor(conn: &mut Conn, accounts: &[i64]) -> Result<Vec<AccountId>> {
    if accounts.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "select id from accounts where id in list($1) and second_factor_required = 1 order by id";
    conn.query(sql, &[accounts.into()]).await?.iter().map(|row| row.int(0).map(AccountId)).collect()
}

/// Notes that somebody signed in. Nothing that is remembered changes.
pub async fn signed_in(tx: &mut Tx, id: LoginId, now: Moment) -> Result<()> {
    let sql = "update logins set last_at = $2 where id = $1";
    tx.execute(sql, &[id.0.into(), now.0.into()]).await.map(drop)
}

/// Sets the password, a PHC string.
pub async fn set_password(tx: &mut Tx, id: LoginId, password: &str, now: Moment) -> Result<()> {
    let sql = "update logins set password = $2, password_at = $3 where id = $1";
    tx.execute(sql, &[id.0.into(), password.into(), now.0.into()]).await?;
    counters::changed(tx).await
}

/// Sets the address.
///
/// # Errors
/// [`Error::Duplicate`] of `logins.email_folded` when somebody else has it.
pub async fn set_email(tx: &mut Tx, id: LoginId, email: &Email) -> Result<()> {
    let folded = email.folded();
    let sql = "update logins set email = $2, email_folded = $3 where id = $1";
    tx.execute(sql, &[id.0.into(), email.as_str().into(), Value::from(&folded)]).await?;
    counters::changed(tx).await
}

/// Sets the name and the language.
pub async fn set_profile(tx: &mut Tx, id: LoginId, name: &str, language: Option<&str>) -> Result<()> {
    let sql = "update logins set name = $2, language = $3 where id = $1";
    tx.execute(sql, &[id.0.into(), name.into(), language.into()]).await?;
    counters::changed(tx).await
}

/// Says whether a login runs the installation.
pub async fn set_operator(tx: &mut Tx, id: LoginId, operator: bool) -> Result<()> {
    let sql = "update logins set operator = $2 where id = $1";
    tx.execute(sql, &[id.0.into(), operator.into()]).await?;
    counters::changed(tx).await
}

/// Lets a login sign in no more from a moment on, or again.
pub async fn set_disabled(tx: &mut Tx, id: LoginId, at: Option<Moment>) -> Result<()> {
    let sql = "update logins set disabled_at = $2 where id = $1";
    tx.execute(sql, &[id.0.into(), at.map(|at| at.0).into()]).await?;
    counters::changed(tx).await
}

/// Sets the secret codes are made of, sealed, of which one of `step` was shown.
pub async fn set_totp(tx: &mut Tx, id: LoginId, secret: &str, step: i64, now: Moment) -> Result<()> {
    let sql = "update logins set totp_secret = $2, totp_at = $3, totp_step = $4 where id = $1";
    tx.execute(sql, &[id.0.into(), secret.into(), now.0.into(), step.into()]).await?;
    counters::changed(tx).await
}

/// At most `limit` secrets of codes that do not begin with a mark, and whose they are.
pub async fn totp_without(conn: &mut Conn, mark: &str, limit: i64) -> Result<Vec<(LoginId, String)>> {
    let sql = "select id, totp_secret from logins
        where totp_secret is not null and substr(totp_secret, 1, length($1)) <> $1 order by id limit $2";
    let rows = conn.query(sql, &[mark.into(), limit.into()]).await?;
    rows.iter().map(|row| Ok((LoginId(row.int(0)?), row.text(1)?))).collect()
}

/// Writes the secret of codes in another way, unless it was changed meanwhile.
pub async fn replace_totp(tx: &mut Tx, id: LoginId, before: &str, after: &str) -> Result<()> {
    let sql = "update logins set totp_secret = $3 where id = $1 and totp_secret = $2";
    tx.execute(sql, &[id.0.into(), before.into(), after.into()]).await.map(drop)
}

/// Takes the codes away.
pub async fn unset_totp(tx: &mut Tx, id: LoginId) -> Result<()> {
    let sql = "update logins set totp_secret = null, totp_at = null where id = $1";
    tx.execute(sql, &[id.0.into()]).await?;
    counters::changed(tx).await
}

/// Takes the code of a step. False when one of it or of a later one was taken before: then this one
/// does not count.
pub async fn take_totp_step(tx: &mut Tx, id: LoginId, step: i64) -> Result<bool> {
    let sql = "update logins set totp_step = $2 where id = $1 and totp_step < $2 and totp_at is not null";
    Ok(tx.execute(sql, &[id.0.into(), step.into()]).await? == 1)
}

static RECOVERY_CODES: Bulk =
    Bulk::insert("recovery_codes", &[("hash", Kind::Text), ("login_id", Kind::Int)], "");

/// Gives a login these recovery codes, as hashes, in place of those it had.
pub async fn set_recovery_codes(tx: &mut Tx, id: LoginId, hashes: &[String]) -> Result<()> {
    tx.execute("delete from recovery_codes where login_id = $1", &[id.0.into()]).await?;
    let cells: Vec<Value<'_>> = hashes.iter().flat_map(|hash| [Value::from(hash), id.0.into()]).collect();
    tx.bulk(&RECOVERY_CODES, &cells).await
}

/// Takes a recovery code. False when the login has no such code, or it was taken before.
pub async fn take_recovery_code(tx: &mut Tx, id: LoginId, hash: &str, now: Moment) -> Result<bool> {
    let sql = "update recovery_codes set used_at = $3 where hash = $1 and login_id = $2 and used_at is null";
    Ok(tx.execute(sql, &[hash.into(), id.0.into(), now.0.into()]).await? == 1)
}

/// How many recovery codes a login has left.
pub async fn recovery_codes_left(conn: &mut Conn, id: LoginId) -> Result<i64> {
    let sql = "select count(*) from recovery_codes where login_id = $1 and used_at is null";
    conn.number(sql, &[id.0.into()]).await
}

fn login(mut row: Row) -> Result<Login> {
    let email = row.take_text(1);
    Ok(Login {
        id: LoginId(row.int(0)?),
        email: Email::parse(&email).map_err(|_| Error::unreadable("logins.email", &email))?,
        name: row.take_text(2),
        language: row.opt_text(3)?,
        operator: row.flag(4)?,
        password_at: row.opt_int(5)?.map(Moment),
        totp_at: row.opt_int(6)?.map(Moment),
        passkeys: row.int(7)?,
        disabled_at: row.opt_int(8)?.map(Moment),
        created_at: Moment(row.int(9)?),
        last_at: row.opt_int(10)?.map(Moment),
    })
}
