//! Passwords: what makes a good one, and how one is kept and compared.
//!
//! The rules are those of NIST SP 800-63B-4 (section 3.1.1): at least 15 characters, or 8 beside a
//! second factor; up to 128, of any kind, spaces and all scripts included, made the same however a
//! keyboard composes them (NFKC); nothing that many people use, and nothing about oneself. There are
//! no rules of composition and no forced changes.
//!
//! A password is kept as Argon2id (RFC 9106) with the parameters the library recommends. That takes
//! some 20 ms and 19 MiB, so it is done beside the runtime by as many threads as there are processors;
//! when too many wait, whoever comes next is told to come again.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::{Argon2, PasswordHash, PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization as _;

/// The fewest characters of a password that stands alone.
pub const LENGTH_MIN: usize = 15;
/// The fewest characters of a password beside a second factor.
pub const LENGTH_MIN_WITH_SECOND_FACTOR: usize = 8;
/// The most characters.
pub const LENGTH_MAX: usize = 128;
/// Longer texts are not even looked at.
const OCTETS_MAX: usize = 4096;
/// How many may wait for a processor.
const WAITING_MAX: usize = 64;
/// The characters that must be left when what is about the person is taken away.
const LEFT_MIN: usize = 6;
/// Words shorter than this say nothing about a person.
const WORD_MIN: usize = 3;
/// This program's own words.
const OWN_WORDS: [&str; 1] = ["branchline"];

static COMMON: &str = include_str!("../data/common_passwords.txt");

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too short.
    #[error("the password has {length} characters; use at least {min}, for instance several words")]
    TooShort {
        /// How many it has.
        length: usize,
        /// How many it needs.
        min: usize,
    },
    /// Too long.
    #[error("the password has more than {LENGTH_MAX} characters; use fewer")]
    TooLong,
    /// Many people have it, or it is one key again and again.
    #[error("many people use this password, and whoever guesses tries it first; choose another")]
    Common,
    /// It is little more than the person's own name or address.
    #[error("the password is little more than your name, address or company; choose another")]
    AboutYou,
}

/// Too much is being done at once; the same a moment later succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many people sign in at this moment; try again in a few seconds")]
pub struct Busy;

/// A password that may be used, as it is kept.
#[derive(Clone)]
pub struct Kept(pub(crate) String);

/// One spelling for all ways to type the same characters.
fn normal(password: &str) -> String {
    password.nfkc().collect()
}

/// Whether a password may be used by someone of whom these words are known (name, address, company),
/// beside a second factor or alone.
///
/// # Errors
/// What is wrong with it.
pub fn check(password: &str, about: &[&str], second_factor: bool) -> Result<(), PasswordError> {
    if password.len() > OCTETS_MAX {
        return Err(PasswordError::TooLong);
    }
    let password = normal(password);
    let length = password.chars().count();
    let min = if second_factor { LENGTH_MIN_WITH_SECOND_FACTOR } else { LENGTH_MIN };
    if length < min {
        return Err(PasswordError::TooShort { length, min });
    }
    if length > LENGTH_MAX {
        return Err(PasswordError::TooLong);
    }
    let folded = password.to_lowercase();
    if is_common(&folded) {
        return Err(PasswordError::Common);
    }
    if is_about(&folded, about) {
        return Err(PasswordError::AboutYou);
    }
    Ok(())
}

/// Whether a password is what whoever guesses tries first: on the list, by itself, with figures and
/// signs at its ends or again and again; or few keys, or keys in a row.
fn is_common(folded: &str) -> bool {
    let listed = |text: &str| COMMON_SET.get_or_init(common).binary_search(&text).is_ok();
    let core = folded.trim_matches(|c: char| !c.is_alphabetic());
    let unit = repeated(folded);
    listed(folded)
        || listed(core)
        || listed(unit)
        || listed(repeated(core))
        || unit.chars().count() < 4
        || in_a_row(unit)
}

static COMMON_SET: OnceLock<Vec<&'static str>> = OnceLock::new();

fn common() -> Vec<&'static str> {
    COMMON.lines().collect()
}

/// The shortest text that makes this one when it is written again and again, the last time perhaps
/// in part.
fn repeated(text: &str) -> &str {
    let mut ends = text.char_indices().map(|(at, _)| at).skip(1);
    let unit = ends.find(|end| {
        let (unit, rest) = text.split_at(*end);
        rest.chars().zip(unit.chars().cycle()).all(|(a, b)| a == b)
    });
    &text[..unit.unwrap_or(text.len())]
}

/// Whether nearly each character is the one after, or before, the one before it: by the alphabet, by
/// counting, or along a row of keys.
fn in_a_row(text: &str) -> bool {
    const ROWS: [&str; 8] = [
        "abcdefghijklmnopqrstuvwxyz",
        "01234567890",
        "qwertyuiop",
        "qwertzuiop",
        "asdfghjkl",
        "zxcvbnm",
        "yxcvbnm",
        "azertyuiop",
    ];
    let next = |a: char, b: char| {
        ROWS.iter().any(|row| {
            let place = |c: char| row.find(c);
            matches!((place(a), place(b)), (Some(a), Some(b)) if a.abs_diff(b) == 1)
        })
    };
    let pairs: Vec<bool> = text.chars().zip(text.chars().skip(1)).map(|(a, b)| next(a, b)).collect();
    let steps = pairs.iter().filter(|is| **is).count();
    !pairs.is_empty() && pairs.len() - steps <= pairs.len() / 6
}

/// Whether little is left of a password without what is known about the person.
fn is_about(folded: &str, about: &[&str]) -> bool {
    let parts = |text: &str| {
        let text = text.to_lowercase();
        let words: Vec<String> = text
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| word.chars().count() >= WORD_MIN)
            .map(str::to_owned)
            .collect();
        words
    };
    let mut words: Vec<String> = about.iter().flat_map(|text| parts(text)).collect();
    words.extend(OWN_WORDS.iter().map(|word| (*word).to_owned()));
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let left = words.iter().fold(folded.to_owned(), |left, word| left.replace(word.as_str(), ""));
    left != folded && left.chars().filter(|c| c.is_alphanumeric()).count() < LEFT_MIN
}

/// Makes of a password what is kept of it.
///
/// # Errors
/// [`Busy`] when too many others are at it.
pub async fn keep(password: &str) -> Result<Kept, Busy> {
    let password = normal(password);
    beside(move || Kept(hashed(&password))).await
}

/// Whether a password is the one that is kept. Without one that is kept it is not, and finding out
/// takes as long.
///
/// # Errors
/// [`Busy`] when too many others are at it.
pub(crate) async fn is_right(password: &str, kept: Option<&str>) -> Result<bool, Busy> {
    // Nobody has such a password; it is compared like any other all the same.
    let password = if password.len() > OCTETS_MAX { String::new() } else { normal(password) };
    let kept = kept.map(str::to_owned);
    beside(move || {
        static NOBODYS: OnceLock<String> = OnceLock::new();
        let nobodys = NOBODYS.get_or_init(|| hashed(&crate::people::secret()));
        let right = compared(&password, kept.as_ref().unwrap_or(nobodys));
        right && kept.is_some()
    })
    .await
}

static COMPARED: AtomicU64 = AtomicU64::new(0);

/// How many passwords this process has compared, each at the full cost of one, whether anybody has
/// it or not.
pub fn compared_so_far() -> u64 {
    COMPARED.load(Ordering::Relaxed)
}

fn compared(password: &str, kept: &str) -> bool {
    COMPARED.fetch_add(1, Ordering::Relaxed);
    match PasswordHash::new(kept) {
        Ok(kept) => Argon2::default().verify_password(password.as_bytes(), &kept).is_ok(),
        Err(error) => {
            tracing::error!(%error, "a stored password cannot be read");
            false
        }
    }
}

fn hashed(password: &str) -> String {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.expect("the default parameters, and the system gives chance for a salt").to_string()
}

/// Does heavy work beside the runtime, as much at once as there are processors.
async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
    static AT_WORK: OnceLock<Semaphore> = OnceLock::new();
    static WAITING: Semaphore = Semaphore::const_new(WAITING_MAX);
    let _waiting = WAITING.try_acquire().map_err(|_| Busy)?;
    let at_work = AT_WORK.get_or_init(|| {
        Semaphore::new(std::thread::available_parallelism().map_or(2, std::num::NonZero::get))
    });
    let _at_work = at_work.acquire().await.map_err(|_| Busy)?;
    tokio::task::spawn_blocking(work).await.map_err(|_| Busy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_judged_by_its_length_its_fame_and_whom_it_names() {
        use PasswordError::*;
        let about = ["Eva Muster", "eva.muster@nordlicht-gmbh.example", "Nordlicht GmbH"];
        #[rustfmt::skip]
        let cases = [
            ("correct horse battery staple",    false, Ok(())),
            ("Größe 42, rote Schuhe",           false, Ok(())),
            ("пароль из нескольких слов",       false, Ok(())),
            ("                w",               false, Ok(())),
            ("short but fine",                  false, Err(TooShort { length: 14, min: 15 })),
            ("short but fine",                  true,  Ok(())),
            ("seven77",                         true,  Err(TooShort { length: 7, min: 8 })),
            ("password",                        true,  Err(Common)),
            ("Password123!",                    true,  Err(Common)),
            ("passwordpassword",                false, Err(Common)),
            ("Passwordpassword2026!",           false, Err(Common)),
            ("aaaaaaaaaaaaaaaaaaaa",            false, Err(Common)),
            ("abcabcabcabcabcabc",              false, Err(Common)),
            ("123456789012345",                 false, Err(Common)),
            ("abcdefghijklmnop",                false, Err(Common)),
            ("qwertyuiopasdfghjkl",             false, Err(Common)),
            ("qwertzuiopasdfghjkl",             false, Err(Common)),
            ("eva.muster@nordlicht-gmbh",       false, Err(AboutYou)),
            ("NordlichtNordlicht1",             false, Err(AboutYou)),
            ("branchline-2026",                 false, Err(AboutYou)),
            ("nordlicht tanzt im winter",       false, Ok(())),
        ];
        for (password, second_factor, expected) in cases {
            assert_eq!(check(password, &about, second_factor), expected, "{password}");
        }
    }

    #[test]
    fn sixty_four_and_up_to_128_characters_are_taken_and_more_are_not() {
        let of = |length: usize| -> String {
            // No two alike: text that does not repeat.
            (0..length).map(|i| char::from_u32(0x4e00 + (i as u32 * 7919) % 20_000).unwrap()).collect()
        };
        for length in [15, 64, 128] {
            assert_eq!(check(&of(length), &[], false), Ok(()), "{length}");
        }
        assert_eq!(check(&of(129), &[], false), Err(PasswordError::TooLong));
        assert_eq!(check(&of(100_000), &[], false), Err(PasswordError::TooLong));
    }

    #[test]
    fn the_list_is_sorted_and_read_whole() {
        let list = common();
        assert!(list.len() > 18_000 && list.is_sorted());
        assert!(list.binary_search(&"password").is_ok());
    }

    #[tokio::test]
    async fn a_password_is_right_however_its_characters_are_composed() {
        let kept = keep("Zürich im Frühling é").await.unwrap();
        assert!(kept.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", kept.0);
        let decomposed = "Zu\u{308}rich im Fru\u{308}hling e\u{301}";
        assert!(is_right(decomposed, Some(&kept.0)).await.unwrap());
        assert!(!is_right("Zürich im Frühling e", Some(&kept.0)).await.unwrap());
    }

    #[tokio::test]
    async fn what_nobody_has_is_compared_too_and_never_right() {
        let before = compared_so_far();
        assert!(!is_right("", None).await.unwrap());
        assert!(!is_right(&"x".repeat(100_000), None).await.unwrap());
        assert!(!is_right("anything", Some("not a hash")).await.unwrap());
        assert_eq!(compared_so_far() - before, 3);
    }
}
