//! What the tests of people share: people with a password, browsers, codes, and the mails they got.

#![allow(dead_code, clippy::unwrap_used, reason = "each test takes what it needs, and a test may unwrap")]

use domain::account::{Account, Email};
use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::{AccountId, LoginId};
use domain::login::Step;
use domain::member::Role;
use domain::moment::Moment;
use gateway::accounts::{self, NewAccount};
use gateway::sessions::SignedIn;
use gateway::sign_in::{self, Client, Entered, SignInError};
use gateway::{Base, logins, second_factor, sessions, set_up};

pub const PASSWORD: &str = "vier Worte, die passen";
pub const NEW_PASSWORD: &str = "ganz andere Worte nun";

/// A browser that nobody has used before.
pub const HOME: Client<'static> =
    Client { address: "192.0.2.7", agent: "Firefox", device: None, session: None };

/// Who sets an installation up.
pub fn first() -> set_up::First {
    set_up::First {
        company: "Nordlicht GmbH".into(),
        name: "Eva Muster".into(),
        email: Email::parse("eva@example.com").unwrap(),
        password: PASSWORD.into(),
        language: Some("de".into()),
    }
}

/// The secret at the end of a link.
pub fn secret_of(path: &str) -> &str {
    path.rsplit_once('/').unwrap().1
}

/// Somebody with [`PASSWORD`].
pub async fn person(base: &Base, address: &str) -> LoginId {
    let kept = logins::password(PASSWORD, &[], false).await.unwrap();
    let email = Email::parse(address).unwrap();
    let new = logins::NewLogin {
        email: &email,
        name: "Eva Muster",
        language: None,
        operator: address.starts_with("boss"),
        password: Some(&kept),
    };
    let mut tx = base.db.begin().await.unwrap();
    let login = logins::create(&mut tx, &new, base.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    login.id
}

pub async fn account(base: &Base, address: &str) -> Account {
    let new = NewAccount {
        company: Some("Muster GmbH".into()),
        owner: "Max Muster".into(),
        email: Email::parse(address).unwrap(),
        parent: None,
        credits: Credits::ZERO,
    };
    accounts::create(base, &new, &Actor::command_line()).await.unwrap()
}

pub async fn join(base: &Base, account: AccountId, login: LoginId, role: Role) {
    let mut tx = base.db.begin().await.unwrap();
    storage::members::insert(&mut tx, account, login, role, false, base.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
}

pub async fn leave(base: &Base, account: AccountId, login: LoginId) {
    let mut tx = base.db.begin().await.unwrap();
    let sql = "delete from members where account_id = $1 and login_id = $2";
    tx.execute(sql, &[account.0.into(), login.0.into()]).await.unwrap();
    storage::counters::changed(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
}

pub async fn require_second_factor(base: &Base, account: AccountId) -> Account {
    let mut tx = base.db.begin().await.unwrap();
    let sql = "update accounts set second_factor_required = 1 where id = $1";
    tx.execute(sql, &[account.0.into()]).await.unwrap();
    storage::counters::changed(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    storage::accounts::find(&mut base.db.read().await.unwrap(), account).await.unwrap().unwrap()
}

pub async fn try_in(
    base: &Base,
    address: &str,
    password: &str,
    client: &Client<'_>,
) -> Result<Entered, SignInError> {
    sign_in::with_password(base, address, password, client).await
}

/// Signs in with [`PASSWORD`] and gives the token.
pub async fn enter(base: &Base, address: &str) -> String {
    try_in(base, address, PASSWORD, &HOME).await.unwrap().token
}

/// How far the password alone leads.
pub async fn step(base: &Base, address: &str) -> Step {
    try_in(base, address, PASSWORD, &HOME).await.unwrap().step
}

pub async fn with_code(base: &Base, token: &str, code: &str) -> Result<Entered, SignInError> {
    sign_in::with_code(base, token, code, &HOME).await
}

/// Whether a token is somebody's who is fully in.
pub async fn is_in(base: &Base, token: &str) -> bool {
    let who = sessions::of(base, token, base.clock.now()).await.unwrap();
    who.is_some_and(|who| who.step == Step::SignedIn)
}

pub async fn signed_in(base: &Base, token: &str) -> SignedIn {
    let who = sessions::of(base, token, base.clock.now()).await.unwrap().unwrap();
    assert_eq!(who.step, Step::SignedIn);
    who
}

/// The code an app shows for a secret, as it is shown to be typed.
pub fn code(secret: &str, now: Moment) -> String {
    let secret: String = secret.chars().filter(|c| *c != ' ').collect();
    let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    totp.generate(u64::try_from(now.seconds()).unwrap()).to_string()
}

/// Signs in and sets codes up: gives the token and the recovery codes.
pub async fn with_app(base: &Base, address: &str) -> (String, Vec<String>) {
    let token = enter(base, address).await;
    let who = signed_in(base, &token).await;
    let setup = second_factor::begin(base, &who, PASSWORD).await.unwrap();
    let code = code(&setup.secret, base.clock.now());
    let codes = second_factor::confirm(base, &who, &setup.token, &code, &HOME).await.unwrap().unwrap();
    (token, codes)
}

/// The mails of a kind: to whom, and the secret of their link.
pub async fn mails(base: &Base, kind: &str) -> Vec<(String, String)> {
    let sql = "select id from mails where kind = $1 order by id";
    let mut conn = base.db.read().await.unwrap();
    let mut mails = Vec::new();
    for row in conn.query(sql, &[kind.into()]).await.unwrap() {
        let mail = storage::mails::find(&mut conn, row.int(0).unwrap()).await.unwrap().unwrap();
        let secret = gateway::mail::post::opened(base, &mail).unwrap().unwrap_or_default();
        mails.push((mail.recipient, secret));
    }
    mails
}

/// Waits for all of them, begun together.
pub async fn join_all<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, done) in futures.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *done = Some(value);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

/// Invites somebody and gives the secret of the link that was mailed.
pub async fn invite(base: &Base, account: AccountId, address: &str) -> String {
    use gateway::members::invitations::{NewInvitation, invite};
    let email = Email::parse(address).unwrap();
    let new = NewInvitation { email, role: Role::Messaging, includes_subaccounts: false };
    invite(base, account, &new, &Actor::command_line()).await.unwrap();
    mails(base, "invitation").await.pop().unwrap().1
}
