//! When to ask a silent peer whether it is still there, and when to give it up. A value without a
//! clock: tell it what happened and when, and ask it with `now`.

use std::time::{Duration, Instant};

/// The patience with one peer.
#[derive(Clone, Copy, Debug)]
pub struct Timers {
    enquire_after: Duration,
    answer_within: Duration,
    heard_at: Instant,
    asked_at: Option<Instant>,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing yet.
    Nothing,
    /// Send an `enquire_link`; it is taken as sent.
    EnquireLink,
    /// The peer has not said anything, not even to an `enquire_link`: the session is dead.
    PeerSilent,
}

impl Timers {
    /// Ask after a silence of `enquire_after`, and give up when `answer_within` passes after that.
    pub fn new(enquire_after: Duration, answer_within: Duration, now: Instant) -> Timers {
        Timers { enquire_after, answer_within, heard_at: now, asked_at: None }
    }

    /// Anything came from the peer. Every PDU is a sign of life, so a busy session asks nothing.
    pub fn heard(&mut self, now: Instant) {
        self.heard_at = now;
        self.asked_at = None;
    }

    /// What is due now.
    pub fn due(&mut self, now: Instant) -> Due {
        match self.asked_at {
            Some(asked_at) if now >= asked_at + self.answer_within => Due::PeerSilent,
            Some(_) => Due::Nothing,
            None if now >= self.heard_at + self.enquire_after => {
                self.asked_at = Some(now);
                Due::EnquireLink
            }
            None => Due::Nothing,
        }
    }

    /// When to ask again at the latest.
    pub fn next(&self) -> Instant {
        match self.asked_at {
            Some(asked_at) => asked_at + self.answer_within,
            None => self.heard_at + self.enquire_after,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_peer_is_asked_once_and_then_given_up() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut timers = Timers::new(Duration::from_secs(10), Duration::from_secs(5), start);
        assert_eq!(timers.due(at(9)), Due::Nothing);
        assert_eq!(timers.next(), at(10));
        assert_eq!(timers.due(at(10)), Due::EnquireLink);
        assert_eq!(timers.due(at(11)), Due::Nothing, "asked once");
        timers.heard(at(12));
        assert_eq!(timers.due(at(21)), Due::Nothing);
        assert_eq!(timers.due(at(22)), Due::EnquireLink);
        assert_eq!(timers.next(), at(27));
        assert_eq!(timers.due(at(27)), Due::PeerSilent);
    }
}
