//! Guessing is slowed down without locking anybody out of their own account.
//!
//! Each door has a level. A try raises it by one *before* it is looked at, so that many at once gain
//! nothing; a right one takes its own step back. The level sinks with the time, so the sum of a day is
//! at most the height of the door and what it sinks in a day. Above a few free tries each further one
//! must wait for a time that doubles; at the top, until the level has sunk by one. A try that is
//! refused does not count, or whoever goes on trying would keep the door shut.
//!
//! | door | free | height | sinks a day | who stands at it |
//! | --- | --- | --- | --- | --- |
//! | a login's address | 5 | 50 | 50 | browsers nobody has signed in with as that login: at most 100 wrong tries in any 24 hours, together |
//! | a browser | 5 | 10 | 50 | one that was signed in as that login before, by a cookie it keeps: counted by itself, so strangers cannot shut it out |
//! | a network address | 10 | 50 | 720 | browsers that are not known (an IPv6 network of 64 bits counts as one) |
//! | a login's second factor | 5 | 20 | 60 | codes from browsers that are not known, after a right password |
//! | a login's changes | 5 | 20 | 60 | the password that is asked for once more before a change, per login |
//! | a login's mails | 5 | 5 | 96 | links to choose a new password: one of the last 30 minutes has always been sent |
//! | a network address' mails | 10 | 20 | 480 | the same, from one place |
//! | a network address' ceremonies | 60 | 120 | 14400 | passkeys and providers that are asked before anybody is known: each is held in the books for minutes |
//!
//! The door of a login is named by the address that was typed, whether anybody has it or not, so that
//! being refused tells nothing. Who stands in front of a door that strangers have shut comes in by a
//! browser they have used before, by a passkey, or by a link that is mailed to them, which makes their
//! browser a known one.
//!
//! Source: NIST SP 800-63B-4, section 3.2.2 (at most 100 wrong tries); OWASP, "Slow down online guessing
//! attacks with device cookies".

use std::net::IpAddr;
use std::time::Duration;

use domain::account::Email;
use domain::id::LoginId;
use domain::moment::Moment;
use storage::guesses::{self, Level};
use storage::{Error, Tx};

use crate::people::hash;

/// One try.
const TRY: i64 = 1_000_000;
const DAY: i64 = 86_400_000_000;

/// What a door bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bears {
    free: i64,
    height: i64,
    a_day: i64,
    wait_max: Duration,
}

const fn bears(free: i64, height: i64, a_day: i64, wait_max_seconds: u64) -> Bears {
    Bears { free, height, a_day, wait_max: Duration::from_secs(wait_max_seconds) }
}

const LOGIN: Bears = bears(5, 50, 50, 300);
const DEVICE: Bears = bears(5, 10, 50, 60);
const NETWORK: Bears = bears(10, 50, 720, 60);
const SECOND_FACTOR: Bears = bears(5, 20, 60, 300);
const MAILS: Bears = bears(5, 5, 96, 0);
const CEREMONIES: Bears = bears(60, 120, 14_400, 1);
const NETWORK_MAILS: Bears = bears(10, 20, 480, 0);

/// A door, and what it bears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Door(String, Bears);

impl Door {
    /// Of an address somebody signs in with, for browsers that are not known.
    pub fn login(email: &str) -> Door {
        Door(format!("login {}", folded(email)), LOGIN)
    }

    /// Of a browser that was signed in before, by the hash of its token.
    pub fn device(device: &str) -> Door {
        Door(format!("device {device}"), DEVICE)
    }

    /// Of a network address.
    pub fn network(address: &str) -> Door {
        Door(format!("network {}", network(address)), NETWORK)
    }

    /// Of a login's second factor, for browsers that are not known.
    pub fn second_factor(login: LoginId) -> Door {
        Door(format!("second factor {login}"), SECOND_FACTOR)
    }

    /// Of the password somebody who is signed in shows once more.
    pub fn changes(login: LoginId) -> Door {
        Door(format!("changes {login}"), SECOND_FACTOR)
    }

    /// Of the links mailed to an address.
    pub fn mails(email: &str) -> Door {
        Door(format!("mails {}", folded(email)), MAILS)
    }

    /// Of the ceremonies a network address begins before anybody is known.
    pub fn ceremonies(address: &str) -> Door {
        Door(format!("ceremonies {}", network(address)), CEREMONIES)
    }

    /// Of the links a network address asks for.
    pub fn network_mails(address: &str) -> Door {
        Door(format!("network mails {}", network(address)), NETWORK_MAILS)
    }
}

/// What was typed as an address, as doors are named by it: nobody's address is kept for it.
fn folded(email: &str) -> String {
    hash(&Email::parse(email).map_or_else(|_| email.trim().to_lowercase(), |email| email.folded()))
}

/// What counts as one place: an IPv4 address, or an IPv6 network of 64 bits.
fn network(address: &str) -> String {
    match address.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V6(ip)) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Ok(ip) => ip.to_string(),
        Err(_) => address.chars().take(64).collect(),
    }
}

/// Too many tries; the next one counts after this long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many tries; wait {} seconds", .0.as_secs().max(1))]
pub struct Wait(pub Duration);

/// Tries that are under way, to be taken back if they were right.
#[derive(Debug)]
pub(crate) struct Tries(Vec<String>);

/// Counts a try at all of these doors, or at none of them when one is shut.
pub(crate) async fn count(
    tx: &mut Tx,
    mut doors: Vec<Door>,
    now: Moment,
) -> Result<Result<Tries, Wait>, Error> {
    doors.sort_by(|a, b| a.0.cmp(&b.0));
    let names: Vec<String> = doors.iter().map(|door| door.0.clone()).collect();
    let levels = guesses::hold(tx, &names).await?;
    let waits = doors.iter().zip(&levels).map(|(door, level)| wait(door.1, *level, now));
    let wait = waits.max().unwrap_or_default();
    if !wait.is_zero() {
        return Ok(Err(Wait(wait)));
    }
    for (door, level) in doors.iter().zip(&levels) {
        let level = Level { level: sunk(door.1, *level, now) + TRY, at: now };
        guesses::set(tx, &door.0, level).await?;
    }
    Ok(Ok(Tries(names)))
}

/// Takes tries back: they were right.
pub(crate) async fn right(tx: &mut Tx, tries: &Tries) -> Result<(), Error> {
    guesses::take_back(tx, &tries.0, TRY).await
}

/// A level as it is now.
fn sunk(bears: Bears, level: Level, now: Moment) -> i64 {
    let since = i64::try_from(now.since(level.at).as_micros()).unwrap_or(i64::MAX).min(DAY * 30);
    let sunk = i128::from(since) * i128::from(bears.a_day) * i128::from(TRY) / i128::from(DAY);
    level.level.saturating_sub(i64::try_from(sunk).unwrap_or(i64::MAX)).max(0)
}

/// How long the next try must still wait.
fn wait(bears: Bears, level: Level, now: Moment) -> Duration {
    let is = sunk(bears, level, now);
    let until_sunk = match is + TRY - bears.height * TRY {
        over if over > 0 => {
            let micros = i128::from(over) * i128::from(DAY) / (i128::from(bears.a_day) * i128::from(TRY));
            Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX).max(1))
        }
        _ => Duration::ZERO,
    };
    let beyond = (level.level + TRY - 1) / TRY - bears.free;
    let pause = match u32::try_from(beyond) {
        Ok(beyond) if level.level > 0 => Duration::from_secs(1_u64 << beyond.min(20)).min(bears.wait_max),
        _ => Duration::ZERO,
    };
    until_sunk.max(pause.saturating_sub(now.since(level.at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment(1_780_000_000_000_000);

    /// Tries as often as the door lets one, over so many days; gives how many were let and the most
    /// within any 24 hours.
    fn stubborn(bears: Bears, days: u64) -> (usize, usize) {
        let (mut level, mut now) = (Level { level: 0, at: Moment(0) }, START);
        let end = START.after(Duration::from_secs(days * 86_400));
        let mut tried = Vec::new();
        while now < end {
            match wait(bears, level, now) {
                Duration::ZERO => {
                    tried.push(now);
                    level = Level { level: sunk(bears, level, now) + TRY, at: now };
                }
                pause => now = now.after(pause),
            }
        }
        let within = |from: &Moment| {
            let end = from.after(Duration::from_secs(86_400));
            tried.iter().filter(|at| *at >= from && **at < end).count()
        };
        (tried.len(), tried.iter().map(within).max().unwrap_or(0))
    }

    #[test]
    fn a_stubborn_stranger_has_at_most_100_tries_in_any_24_hours() {
        let (all, most) = stubborn(LOGIN, 5);
        assert!(most <= 100, "{most}");
        assert!((250..=301).contains(&all), "{all}");
        assert!(stubborn(SECOND_FACTOR, 3).1 <= 80);
        assert!(stubborn(DEVICE, 3).1 <= 60);
    }

    #[test]
    fn a_few_tries_are_free_then_each_waits_longer_than_the_one_before() {
        let (mut level, mut now) = (Level { level: 0, at: Moment(0) }, START);
        let mut waits = Vec::new();
        for _ in 0..12 {
            let pause = wait(LOGIN, level, now);
            waits.push(pause.as_secs());
            now = now.after(pause);
            level = Level { level: sunk(LOGIN, level, now) + TRY, at: now };
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64]);
    }

    #[test]
    fn a_link_that_still_works_has_always_been_mailed() {
        // The door of mails opens again before the last link it let through has ended.
        let (mut level, mut now, mut last) = (Level { level: 0, at: Moment(0) }, START, START);
        for _ in 0..50 {
            now = now.after(wait(MAILS, level, now));
            assert!(now.since(last) < Duration::from_secs(30 * 60));
            level = Level { level: sunk(MAILS, level, now) + TRY, at: now };
            last = now;
        }
    }

    #[test]
    fn addresses_of_one_network_are_one_place() {
        assert_eq!(network("2001:db8:1:2:3::4"), network("2001:db8:1:2:ffff::"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(Door::login(" Eva@Example.com"), Door::login("eva@example.COM"));
    }
}
