//! Browsers that are signed in: who they are on every request, what a person sees of their sessions,
//! and ending them.
//!
//! The token a browser holds is 256 random bits, made new at sign-in and again when a second factor is
//! shown: a token that was planted in a browser before is worth nothing after. A session ends when it
//! is not used for a time, after a time in any case, when somebody ends it, and the others of a person
//! when their password or second factor changes. What is remembered of sessions, logins and memberships
//! carries the version of the books, so that all of this is so everywhere within two seconds.

use std::sync::Arc;
use std::time::Duration;

use domain::account::Account;
use domain::actor::{Actor, ActorKind};
use domain::id::{AccountId, LoginId, SessionId};
use domain::login::{Login, Step};
use domain::moment::Moment;
use domain::permission::Standing;
use storage::sessions::Session;
use storage::{Error, logins, members, sessions};

use crate::again::again;
use crate::base::Base;
use crate::login_changes::{self, Change};
use crate::people::{hash, is_secret};
use crate::sign_in::Client;

/// Who has shown a password has this long for the second factor.
pub const SECOND_FACTOR_WITHIN: Duration = Duration::from_secs(600);
/// What is most precious asks for a sign-in no older than this.
pub const FRESH: Duration = Duration::from_secs(600);
/// When a session was last used is stored this often.
const STORED_EVERY: Duration = Duration::from_secs(30);

/// What is remembered of a session.
pub(crate) struct Known {
    session: Session,
    login: Arc<Login>,
    standings: Vec<Standing>,
    /// Those of their accounts that require a second factor.
    requiring: Vec<AccountId>,
}

/// Somebody whose browser holds a token that counts.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who.
    pub login: Arc<Login>,
    /// Where they stand.
    pub standings: Vec<Standing>,
    /// How far they are in. As long as a second factor is owed they may see and do nothing else.
    pub step: Step,
    /// When they showed a second factor last.
    pub strong_at: Option<Moment>,
    /// The session.
    pub session: SessionId,
    /// When it began.
    pub began_at: Moment,
    /// When it ends in any case.
    pub ends_at: Moment,
    /// The hash of the token.
    pub(crate) hash: String,
    requiring: Vec<AccountId>,
}

impl SignedIn {
    /// Them as an actor, for audit logs.
    pub fn actor(&self, address: &str, agent: &str) -> Actor {
        actor(&self.login, address, agent)
    }

    /// The first of their own accounts that requires a second factor they have not set up.
    pub fn owes_second_factor(&self) -> Option<AccountId> {
        self.requiring.first().copied().filter(|_| !self.login.has_second_factor())
    }

    /// Whether they must set up a second factor before they may act in this account: it requires one
    /// of whoever acts in it, or the account they come from does of its members.
    pub fn owes_second_factor_in(&self, account: &Account) -> bool {
        let required = || account.settings.second_factor_required;
        let from_above = || self.requiring.iter().any(|of| account.path.contains(of));
        !self.login.has_second_factor() && (required() || from_above())
    }

    /// Whether they signed in a short time ago.
    pub fn is_fresh(&self, now: Moment) -> bool {
        now.since(self.strong_at.map_or(self.began_at, |at| at.max(self.began_at))) < FRESH
    }
}

/// A person as an actor.
pub(crate) fn actor(login: &Login, address: &str, agent: &str) -> Actor {
    Actor {
        kind: ActorKind::Person,
        id: Some(login.id.0),
        name: login.words(),
        above: None,
        visit: None,
        address: address.to_owned(),
        agent: agent.to_owned(),
    }
}

/// Who the browser with this token is, as of a second ago at most; to be asked on every request. Notes
/// that the session is used.
pub async fn of(base: &Base, token: &str, now: Moment) -> Result<Option<SignedIn>, Error> {
    who(base, token, now, true).await
}

/// The same for what a page asks by itself, which is no use of the session: a page that is left open
/// keeps nobody signed in.
pub async fn of_page(base: &Base, token: &str, now: Moment) -> Result<Option<SignedIn>, Error> {
    who(base, token, now, false).await
}

async fn who(base: &Base, token: &str, now: Moment, is_use: bool) -> Result<Option<SignedIn>, Error> {
    if !is_secret(token) {
        return Ok(None);
    }
    let hash = hash(token);
    let Some(known) = known(base, &hash).await? else { return Ok(None) };
    let session = &known.session;
    if session.revoked_at.is_some() || known.login.disabled_at.is_some() {
        return Ok(None);
    }
    let rules = base.people_rules();
    let lasts = match session.step {
        Step::SecondFactorOwed => SECOND_FACTOR_WITHIN,
        Step::SignedIn => rules.session_lasts,
    };
    let ends_at = session.created_at.after(lasts);
    if now >= ends_at || !note(base, session, now, is_use) {
        return Ok(None);
    }
    Ok(Some(SignedIn {
        login: known.login.clone(),
        standings: known.standings.clone(),
        step: session.step,
        strong_at: session.strong_at,
        session: session.id,
        began_at: session.created_at,
        ends_at,
        hash,
        requiring: known.requiring.clone(),
    }))
}

async fn known(base: &Base, hash: &str) -> Result<Option<Arc<Known>>, Error> {
    let version = base.version();
    if let Some((seen, known)) = base.people().sessions.get(hash)
        && seen == version
    {
        return Ok(Some(known));
    }
    let mut conn = base.db.read().await?;
    // What nobody holds is not remembered: whoever makes tokens up would fill the memory with them.
    let Some(session) = sessions::by_hash(&mut conn, hash).await? else { return Ok(None) };
    let Some(login) = logins::find(&mut conn, session.login).await? else { return Ok(None) };
    let standings = members::standings(&mut conn, login.id).await?;
    let accounts: Vec<i64> = standings.iter().map(|standing| standing.account.0).collect();
    let requiring = logins::requiring_second_factor(&mut conn, &accounts).await?;
    let known = Arc::new(Known { session, login: Arc::new(login), standings, requiring });
    base.people().sessions.insert(hash.to_owned(), (version, known.clone()));
    Ok(Some(known))
}

/// Notes that a session is used, if this is a use. False when it was not used for too long.
fn note(base: &Base, session: &Session, now: Moment, is_use: bool) -> bool {
    let idle = base.people_rules().session_idle;
    let mut seen = base.people().seen.lock().unwrap_or_else(|p| p.into_inner());
    let last = seen.at.get(&session.id).map_or(session.seen_at, |(at, _)| (*at).max(session.seen_at));
    if now.since(last) >= idle {
        return false;
    }
    if !is_use {
        return true;
    }
    seen.at.insert(session.id, (now.max(last), false));
    if now.since(seen.stored_at) >= STORED_EVERY {
        seen.stored_at = now;
        let mut used: Vec<(SessionId, Moment)> =
            seen.at.iter().filter(|(_, (_, stored))| !stored).map(|(id, (at, _))| (*id, *at)).collect();
        used.sort_unstable();
        seen.at.values_mut().for_each(|(_, stored)| *stored = true);
        seen.at.retain(|_, (at, _)| now.since(*at) < idle);
        let base = base.clone();
        // Beside the request, which need not wait for the disk.
        tokio::spawn(async move {
            if let Err(error) = store(&base, &used).await {
                tracing::warn!(%error, "when sessions were last used could not be stored");
            }
        });
    }
    true
}

async fn store(base: &Base, used: &[(SessionId, Moment)]) -> Result<(), Error> {
    let mut tx = base.db.begin().await?;
    sessions::touch(&mut tx, used).await?;
    tx.commit().await
}

/// The sessions of a person that go on, the last used first.
pub async fn list(base: &Base, login: LoginId) -> Result<Vec<Session>, Error> {
    let (now, rules) = (base.clock.now(), base.people_rules());
    let mut conn = base.db.read().await?;
    let mut all = sessions::of_login(&mut conn, login, now.before(rules.session_lasts)).await?;
    let seen = base.people().seen.lock().unwrap_or_else(|p| p.into_inner());
    for session in &mut all {
        if let Some((at, _)) = seen.at.get(&session.id) {
            session.seen_at = session.seen_at.max(*at);
        }
    }
    all.retain(|session| {
        let owed = session.step == Step::SecondFactorOwed;
        let late = owed && now.since(session.created_at) >= SECOND_FACTOR_WITHIN;
        !late && now.since(session.seen_at) < rules.session_idle
    });
    all.sort_by_key(|session| std::cmp::Reverse((session.seen_at, session.id)));
    Ok(all)
}

/// Signs a browser out. Whoever holds no token that counts is out already.
pub async fn sign_out(base: &Base, token: &str) -> Result<(), Error> {
    let hash = hash(token);
    again(async || {
        let mut tx = base.db.begin().await?;
        sessions::revoke_by_hash(&mut tx, &hash, base.clock.now()).await?;
        tx.commit().await
    })
    .await?;
    base.refresh().await
}

/// Ends a session of a person. False when they have no such session that goes on.
pub async fn revoke(
    base: &Base,
    who: &SignedIn,
    session: SessionId,
    client: &Client<'_>,
) -> Result<bool, Error> {
    Ok(end(base, who, |one| one == session, client).await? > 0)
}

/// Ends all sessions of a person but the one they ask from.
pub async fn revoke_others(base: &Base, who: &SignedIn, client: &Client<'_>) -> Result<(), Error> {
    end(base, who, |one| one != who.session, client).await.map(drop)
}

/// Ends those of a person's sessions that go on, and tells of it. Gives how many.
async fn end(
    base: &Base,
    who: &SignedIn,
    which: impl Fn(SessionId) -> bool,
    client: &Client<'_>,
) -> Result<u64, Error> {
    let ended = again(async || {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let Some(login) = logins::hold(&mut tx, who.login.id).await? else { return Ok(0) };
        let mut all =
            sessions::of_login(&mut tx, login.id, now.before(base.people_rules().session_lasts)).await?;
        all.retain(|session| which(session.id));
        if all.is_empty() {
            return Ok(0);
        }
        let count = all.len() as u64;
        // Signing out is no news, and neither is it by another button.
        if all.iter().any(|session| session.id != who.session) {
            login_changes::tell(&mut tx, base, &login, Change::SessionsEnded(count), client, now).await?;
        }
        for session in &all {
            sessions::revoke(&mut tx, login.id, session.id, now).await?;
        }
        tx.commit().await?;
        Ok::<u64, Error>(count)
    })
    .await?;
    base.refresh().await?;
    Ok(ended)
}
