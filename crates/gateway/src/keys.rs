//! API keys: making a secret, showing it once, and taking it back.
//!
//! A secret is 64 characters: `bl_live_` or `bl_test_`, 50 random ones and 6 of a checksum, so that
//! whoever scans code or logs for leaked keys finds ours and nothing else.

use std::collections::BTreeMap;
use std::sync::Mutex;

use domain::account::AccountState;
use domain::actor::Actor;
use domain::id::{AccountId, KeyId};
use domain::key::{Key, Scope, Scopes};
use domain::ledger::Book;
use domain::moment::Moment;
use rand::RngExt;
use sha2::{Digest, Sha256};
use storage::{Db, Error, accounts, keys, ledger};

use crate::again::{again, busy};
use crate::audit::{self, Changes};
use crate::base::Base;

/// The most characters of a label.
pub const LABEL_MAX: usize = 100;
/// Characters of a secret that are shown later to recognise it by.
const SHOWN: usize = 12;
const RANDOM: usize = 50;
const CHECKSUM: usize = 6;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A key to be created.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What its owner calls it; at most [`LABEL_MAX`] characters.
    pub label: String,
    /// Whether nothing is sent or charged with it.
    pub sandbox: bool,
    /// Whether it may act in the accounts below.
    pub subaccount_access: bool,
    /// What it may be used for.
    pub scopes: Scopes,
    /// Until when it works; absent is for ever.
    pub expires_at: Option<Moment>,
}

/// Why a key was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateKeyError {
    /// There is no such account.
    #[error("there is no account {0}; a key belongs to an account that exists")]
    NotFound(AccountId),
    /// The account is closed, or about to be.
    #[error("account {account} is {} and gets no new keys; activate it first", .state.as_str())]
    NotOpen {
        /// Which.
        account: AccountId,
        /// Its own state.
        state: AccountState,
    },
    /// The label is too long.
    #[error("the label has {0} characters; use at most {LABEL_MAX}")]
    Label(usize),
    /// The key would never work.
    #[error("the key would end before it begins; name a later time, or none")]
    Expired,
    /// It would be of no use.
    #[error("the key has no scopes; name at least one")]
    NoScopes,
    /// No accounts can stand below this one.
    #[error(
        "account {0} is at the greatest depth and can have no subaccounts; create a key with subaccount access in an account above it"
    )]
    NoSubaccounts(AccountId),
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

/// Why a key was not taken back.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// The account has no such key.
    #[error("account {account} has no key {key}")]
    NotFound {
        /// The account.
        account: AccountId,
        /// The key.
        key: KeyId,
    },
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

busy!(CreateKeyError, RevokeError);

/// Creates a key and gives it with its secret, which nobody can read again.
///
/// Subaccount access is for accounts that can have subaccounts: main accounts, and those below them
/// that are not at the greatest depth. It reaches down from the account, never up or sideways.
pub async fn create(
    base: &Base,
    account: AccountId,
    new: &NewKey,
    actor: &Actor,
) -> Result<(Key, String), CreateKeyError> {
    let label = new.label.trim();
    let length = label.chars().count();
    if length > LABEL_MAX {
        return Err(CreateKeyError::Label(length));
    }
    if new.scopes.bits() == 0 {
        return Err(CreateKeyError::NoScopes);
    }
    let secret = secret(&mut rand::rng(), new.sandbox);
    let key = again(|| create_once(base, account, new, label, &secret, actor)).await?;
    base.refresh().await?;
    Ok((key, secret))
}

async fn create_once(
    base: &Base,
    account: AccountId,
    new: &NewKey,
    label: &str,
    secret: &str,
    actor: &Actor,
) -> Result<Key, CreateKeyError> {
    let now = base.clock.now();
    if new.expires_at.is_some_and(|end| end <= now) {
        return Err(CreateKeyError::Expired);
    }
    let mut tx = base.db.begin().await?;
    ledger::lock(&mut tx, &mut Book::default(), [account]).await?;
    let owner = accounts::find(&mut tx, account).await?.ok_or(CreateKeyError::NotFound(account))?;
    if owner.state >= AccountState::Closing {
        return Err(CreateKeyError::NotOpen { account, state: owner.state });
    }
    if new.subaccount_access && owner.parent.is_some() && owner.path.len() >= base.rules.depth_max {
        return Err(CreateKeyError::NoSubaccounts(account));
    }
    let key = Key {
        id: keys::draw_id(&mut tx).await?,
        account,
        label: label.to_owned(),
        prefix: secret[..SHOWN].to_owned(),
        sandbox: new.sandbox,
        scopes: new.scopes,
        subaccount_access: new.subaccount_access,
        expires_at: new.expires_at,
        revoked_at: None,
        created_at: now,
    };
    let scopes: Vec<&str> = key.scopes.iter().map(Scope::as_str).collect();
    let changes = Changes::new()
        .new_field("prefix", &key.prefix)
        .new_field("scopes", (key.scopes != Scopes::ALL).then_some(scopes))
        .new_field("sandbox", key.sandbox.then_some(true))
        .new_field("subaccount_access", key.subaccount_access.then_some(true))
        .new_field("expires_at", key.expires_at.map(audit::time));
    audit::note(&mut tx, &owner, actor, "key.create", &named(&key), &changes, now).await?;
    keys::insert(&mut tx, &key, &hash(secret)).await?;
    tx.commit().await?;
    Ok(key)
}

/// Takes a key of an account back. Doing so again changes nothing.
pub async fn revoke(base: &Base, account: AccountId, key: KeyId, actor: &Actor) -> Result<Key, RevokeError> {
    let revoked = again(|| async move {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let found = keys::find(&mut tx, key).await?.filter(|k| k.account == account);
        let mut found = found.ok_or(RevokeError::NotFound { account, key })?;
        let owner = accounts::find(&mut tx, account).await?;
        let owner = owner.ok_or(RevokeError::NotFound { account, key })?;
        if found.revoked_at.is_none() {
            let changes = Changes::new().old_field("prefix", &found.prefix);
            audit::note(&mut tx, &owner, actor, "key.revoke", &named(&found), &changes, now).await?;
        }
        if keys::revoke(&mut tx, key, now).await? {
            found.revoked_at = Some(now);
        }
        tx.commit().await?;
        Ok::<Key, RevokeError>(found)
    })
    .await?;
    base.refresh().await?;
    Ok(revoked)
}

/// A key as logs name it: `key 12 (shop)`.
pub fn named(key: &Key) -> String {
    match key.label.as_str() {
        "" => format!("key {}", key.id),
        label => format!("key {} ({label})", key.id),
    }
}

/// What is stored of a secret, and what it is found by: its SHA-256 in hexadecimal.
pub fn hash(secret: &str) -> String {
    domain::text::hex_of_octets(&Sha256::digest(secret.as_bytes()))
}

/// Whether a text is a secret as this program makes them, by its beginning and its checksum; not
/// whether it is anybody's.
pub fn is_secret(text: &str) -> bool {
    let begins = text.starts_with("bl_live_") || text.starts_with("bl_test_");
    let split = text.len().checked_sub(CHECKSUM).filter(|_| begins && text.is_ascii() && text.len() == 64);
    split.is_some_and(|split| checksum(&text[..split]) == text[split..])
}

fn secret(rng: &mut impl rand::CryptoRng, sandbox: bool) -> String {
    let mut text = String::with_capacity(64);
    text.push_str(if sandbox { "bl_test_" } else { "bl_live_" });
    text.extend((0..RANDOM).map(|_| char::from(DIGITS[rng.random_range(0..DIGITS.len())])));
    text.push_str(&checksum(&text));
    text
}

/// CRC-32 (IEEE 802.3) in six digits to the base of 62.
fn checksum(text: &str) -> String {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    let crc = !text.bytes().fold(!0_u32, |crc, byte| (0..8).fold(crc ^ u32::from(byte), step));
    let mut left = u64::from(crc);
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(left % 62) as usize];
        left /= 62;
    }
    digits.iter().map(|d| char::from(*d)).collect()
}

/// When keys were last used, kept until it is worth a write.
#[derive(Debug, Default)]
pub struct LastUsed(Mutex<BTreeMap<KeyId, Moment>>);

impl LastUsed {
    /// Notes that a key is used.
    pub fn note(&self, key: KeyId, now: Moment) {
        self.0.lock().unwrap_or_else(|p| p.into_inner()).insert(key, now);
    }

    /// Writes what was noted since the last time. To be called every minute or so; what a crash
    /// takes away is a minute of it.
    pub async fn store(&self, db: &Db) -> Result<(), Error> {
        let noted = std::mem::take(&mut *self.0.lock().unwrap_or_else(|p| p.into_inner()));
        if noted.is_empty() {
            return Ok(());
        }
        let used: Vec<(KeyId, Moment)> = noted.into_iter().collect();
        let mut tx = db.begin().await?;
        keys::touch(&mut tx, &used).await?;
        tx.commit().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_64_characters_and_known_by_its_checksum() {
        for sandbox in [true, false] {
            let secret = secret(&mut rand::rng(), sandbox);
            assert_eq!(secret.len(), 64);
            assert!(secret.starts_with(if sandbox { "bl_test_" } else { "bl_live_" }));
            assert!(is_secret(&secret), "{secret}");
            let other = if secret.ends_with('0') { "1" } else { "0" };
            assert!(!is_secret(&format!("{}{other}", &secret[..63])));
        }
        for not in ["", "bl_live_", "bl_live_ü", &"x".repeat(64)] {
            assert!(!is_secret(not), "{not}");
        }
    }

    #[test]
    fn the_hash_is_sha_256_and_the_checksum_crc_32() {
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        // CRC-32 of "123456789" is cbf43926.
        let value = checksum("123456789")
            .bytes()
            .fold(0_u64, |n, d| n * 62 + DIGITS.iter().position(|x| *x == d).unwrap() as u64);
        assert_eq!(value, 0xcbf4_3926);
    }
}
