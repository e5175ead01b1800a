//! What all that concerns people stands on: the installation's rules for signing in, the secrets that
//! are given out, what is remembered between requests, and forgetting what is over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use domain::id::SessionId;
use domain::moment::Moment;
use rand::Rng;
use sha2::{Digest, Sha256};
use storage::{Error, devices, guesses, sessions, tokens};
use webauthn_rs::Webauthn;

use crate::base::Base;
use crate::provider::{Found, ProviderSettings};
use crate::sessions::Known;

/// How long what is over stays readable for those who look into it.
const ENDED_KEPT: Duration = Duration::from_secs(90 * 86_400);
/// How long a browser is known that nobody signs in with.
pub const DEVICE_KEPT: Duration = Duration::from_secs(400 * 86_400);
/// Guesses have sunk to nothing after this long.
const GUESSES_KEPT: Duration = Duration::from_secs(3 * 86_400);

/// How people sign in to an installation.
#[derive(Clone, Debug)]
pub struct PeopleRules {
    /// A session that is not used ends after this long.
    pub session_idle: Duration,
    /// A session ends after this long, used or not.
    pub session_lasts: Duration,
    /// A provider of sign-ins (OpenID Connect), if there is one.
    pub provider: Option<ProviderSettings>,
}

impl Default for PeopleRules {
    fn default() -> PeopleRules {
        PeopleRules {
            session_idle: Duration::from_secs(3600),
            session_lasts: Duration::from_secs(24 * 3600),
            provider: None,
        }
    }
}

/// What is remembered of people between requests.
pub(crate) struct Held {
    /// The installation's rules, once they are said.
    pub rules: OnceLock<PeopleRules>,
    /// Sessions by the hash of their token, with the version of the books they were read at.
    pub sessions: quick_cache::sync::Cache<String, (i64, Arc<Known>)>,
    /// When sessions were last used.
    pub seen: Mutex<Seen>,
    /// The relying party of passkeys, once it is set up.
    pub webauthn: OnceLock<Option<Webauthn>>,
    /// What the provider of sign-ins says of itself, once it was asked.
    pub provider: tokio::sync::Mutex<Option<Found>>,
}

/// When sessions were last used; what is not stored yet is marked.
#[derive(Default)]
pub(crate) struct Seen {
    /// By session: when, and whether the books know.
    pub at: HashMap<SessionId, (Moment, bool)>,
    /// When it was last stored.
    pub stored_at: Moment,
}

impl Held {
    pub fn new(remembered_max: usize) -> Held {
        Held {
            rules: OnceLock::new(),
            sessions: quick_cache::sync::Cache::new(remembered_max),
            seen: Mutex::default(),
            webauthn: OnceLock::new(),
            provider: tokio::sync::Mutex::default(),
        }
    }
}

/// A secret of 256 random bits, as 43 characters that need no escaping in a link or a cookie.
pub(crate) fn secret() -> String {
    use base64::Engine as _;
    let mut bits = [0_u8; 32];
    rand::rng().fill_bytes(&mut bits);
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bits)
}

/// What is stored of a secret, and what it is found by: its SHA-256 in hexadecimal.
pub(crate) fn hash(secret: &str) -> String {
    domain::text::hex_of_octets(&Sha256::digest(secret.as_bytes()))
}

/// Whether a text has the shape of a secret of ours, so that the books need not be asked.
pub(crate) fn is_secret(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Forgets what is over: links and ceremonies whose time has passed, old sessions, old guesses,
/// browsers nobody uses. To be called now and then; several processes may.
pub async fn tidy(base: &Base) -> Result<(), Error> {
    let now = base.clock.now();
    let mut tx = base.db.begin().await?;
    tokens::forget(&mut tx, now).await?;
    guesses::forget(&mut tx, now.before(GUESSES_KEPT)).await?;
    devices::forget(&mut tx, now.before(DEVICE_KEPT)).await?;
    sessions::forget(&mut tx, now.before(ENDED_KEPT)).await?;
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_256_bits_their_own_shape_and_are_never_the_same() {
        let all: std::collections::HashSet<String> = (0..1000).map(|_| secret()).collect();
        assert_eq!(all.len(), 1000);
        assert!(all.iter().all(|secret| is_secret(secret)));
        for not in ["", "a", &"ü".repeat(43), &"a".repeat(44), &"+".repeat(43)] {
            assert!(!is_secret(not), "{not}");
        }
    }
}
