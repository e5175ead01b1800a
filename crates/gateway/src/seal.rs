//! Secrets that must be read again (those that codes of an app are made of, those of links that wait to
//! be mailed) are kept sealed: by AES-256-GCM, with a key that lies beside the books and not in them, so
//! that a copy of the books opens no door. What a secret belongs to is sealed with it: moved to another
//! login, it does not open.
//!
//! Everything else that is secret is kept as a hash and never read again, but for the key that requests
//! of an account are signed with: it is shown to the account's administrators, and opens nothing without
//! an API key.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use rand::Rng as _;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use storage::{Error, Tx, logins, mails, seals};

use crate::again::again;
use crate::base::Base;

/// What sealed texts begin with. No secret of ours that was kept plain does.
const MARK: &str = "sealed:";
/// What is sealed to tell later whether a key is the right one.
const PROOF: &str = "these books";
/// How many plain secrets are sealed in one transaction.
const STEP: i64 = 500;

/// The key of an installation's secrets: 256 bits.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; 32]);

/// Shows nothing.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(...)")
    }
}

impl Key {
    /// A new one, by chance.
    pub fn new() -> Key {
        let mut bits = [0; 32];
        rand::rng().fill_bytes(&mut bits);
        Key(bits)
    }

    /// The key that is written so: 43 characters of base64, as [`Key::words`] gives them.
    pub fn parse(text: &str) -> Option<Key> {
        URL_SAFE_NO_PAD.decode(text.trim()).ok()?.try_into().ok().map(Key)
    }

    /// As it is written down.
    pub fn words(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl Default for Key {
    fn default() -> Key {
        Key::new()
    }
}

/// What closes and opens secrets.
pub struct Seal(LessSafeKey);

impl Seal {
    /// The seal of a key of 256 bits.
    pub fn of(key: &[u8; 32]) -> Seal {
        Seal(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("the key has 32 octets")))
    }

    /// Seals a secret. `about`: what it belongs to, without which it does not open.
    pub fn close(&self, about: &str, secret: &[u8]) -> String {
        let mut nonce = [0; 12];
        rand::rng().fill_bytes(&mut nonce);
        let mut octets = secret.to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(about), &mut octets)
            .expect("a secret has fewer than 64 GiB");
        STANDARD_NO_PAD.encode([nonce.as_slice(), &octets].concat())
    }

    /// Opens what was sealed by the same key about the same thing; nothing when it was not.
    pub fn open(&self, about: &str, sealed: &str) -> Option<Vec<u8>> {
        let octets = STANDARD_NO_PAD.decode(sealed).ok()?;
        let (nonce, octets) = octets.split_first_chunk::<12>()?;
        let mut octets = octets.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.0.open_in_place(nonce, Aad::from(about), &mut octets).ok()?.len();
        octets.truncate(length);
        Some(octets)
    }
}

/// Why a process cannot read the secrets of the books.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// They are sealed by another key.
    #[error("the secrets in these books are sealed by another key")]
    OtherKey,
    /// The books did not answer.
    #[error(transparent)]
    Storage(#[from] Error),
}

/// Whether secrets of these books are sealed, so that their key is needed.
pub async fn is_begun(base: &Base) -> Result<bool, Error> {
    Ok(seals::proof(&mut *base.db.read().await?).await?.is_some())
}

/// Seals by this key from now on, and seals what an earlier version kept plain. To be called at the
/// start of whatever serves people.
///
/// # Errors
/// [`SealError::OtherKey`] when the books have another one.
pub async fn begin(base: &Base, key: &Key) -> Result<(), SealError> {
    let seal = Seal::of(&key.0);
    let fits = again(async || {
        let mut tx = base.db.begin().await?;
        // Of several processes that begin together, one is first and the others compare.
        seals::begin(&mut tx, &seal.close(PROOF, PROOF.as_bytes())).await?;
        let proof = seals::proof(&mut tx).await?.unwrap_or_default();
        tx.commit().await?;
        Ok::<_, Error>(seal.open(PROOF, &proof).is_some())
    })
    .await?;
    if !fits {
        return Err(SealError::OtherKey);
    }
    base.seal_by(seal);
    Ok(seal_what_is_plain(base).await?)
}

/// Begins anew without the key, which is lost: what was sealed by it cannot be read any more. Codes of
/// apps fit no longer, and mails whose links were sealed are given up. Tells whether there was a key.
pub async fn forget(base: &Base) -> Result<bool, Error> {
    again(async || {
        let mut tx = base.db.begin().await?;
        let was = seals::forget(&mut tx).await?;
        mails::give_up_sealed(&mut tx, MARK, "the key that its link was sealed by is lost").await?;
        tx.commit().await?;
        Ok(was)
    })
    .await
}

async fn seal_what_is_plain(base: &Base) -> Result<(), Error> {
    loop {
        let step = again(async || {
            let mut tx = base.db.begin().await?;
            let step = seal_some(&mut tx, base).await?;
            tx.commit().await?;
            Ok::<_, Error>(step)
        })
        .await?;
        if step == 0 {
            return Ok(());
        }
        tracing::info!(secrets = step, "secrets that were kept plain are sealed");
    }
}

async fn seal_some(tx: &mut Tx, base: &Base) -> Result<usize, Error> {
    let plain = logins::totp_without(tx, MARK, STEP).await?;
    for (login, secret) in &plain {
        logins::replace_totp(tx, *login, secret, &close(base, &codes_of(login.0), secret)?).await?;
    }
    let links = mails::secrets_without(tx, MARK, STEP).await?;
    for (mail, recipient, secret) in &links {
        mails::replace_secret(tx, *mail, secret, &close(base, &link_to(recipient), secret)?).await?;
    }
    Ok(plain.len() + links.len())
}

/// What the secret of a login's codes is sealed with.
pub(crate) fn codes_of(login: i64) -> String {
    format!("codes of login {login}")
}

/// What the secret of a mailed link is sealed with.
pub(crate) fn link_to(recipient: &str) -> String {
    format!("link to {recipient}")
}

/// Seals a secret for the books.
///
/// # Errors
/// When this process has no key.
pub(crate) fn close(base: &Base, about: &str, secret: &str) -> Result<String, Error> {
    Ok(format!("{MARK}{}", base.seal()?.close(about, secret.as_bytes())))
}

/// Opens a secret of the books. What cannot be opened (its key is lost, or it was moved) is no secret any
/// more, which is told in the log.
///
/// # Errors
/// When this process has no key.
pub(crate) fn open(base: &Base, about: &str, sealed: &str) -> Result<Option<String>, Error> {
    let seal = base.seal()?;
    let opened = sealed.strip_prefix(MARK).and_then(|sealed| seal.open(about, sealed));
    if opened.is_none() {
        tracing::warn!(about, "a secret does not open: its key is lost, or it was changed in the books");
    }
    Ok(opened.and_then(|octets| String::from_utf8(octets).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_by_its_key_and_about_its_thing_alone() {
        let seal = Seal::of(&[7; 32]);
        let sealed = seal.close("login 1", b"JBSWY3DP");
        assert!(!sealed.contains("JBSWY3DP"));
        assert_eq!(seal.open("login 1", &sealed).as_deref(), Some(&b"JBSWY3DP"[..]));
        assert_ne!(seal.close("login 1", b"JBSWY3DP"), sealed, "no two are alike");
        assert_eq!(seal.open("login 2", &sealed), None);
        assert_eq!(Seal::of(&[8; 32]).open("login 1", &sealed), None);
        for broken in ["", "AAAA", &sealed[1..], &sealed[..sealed.len() - 4]] {
            assert_eq!(seal.open("login 1", broken), None, "{broken}");
        }
    }

    #[test]
    fn a_key_is_read_as_it_is_written() {
        let key = Key::new();
        assert!(Key::parse(&format!("{}\n", key.words())) == Some(key.clone()) && key != Key::new());
        for not in ["", "abc", &"a".repeat(44), &"+".repeat(43)] {
            assert_eq!(Key::parse(not), None, "{not}");
        }
        assert!(!format!("{key:?}").contains(&key.words()));
    }
}
