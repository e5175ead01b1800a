//! The requests of one end that wait for their answer: which sequence number belongs to what, how
//! many more may be sent, and which have waited too long.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The highest sequence number the standard allows.
const SEQUENCE_MAX: u32 = 0x7FFF_FFFF;

/// Requests under way, each with a ticket of type `T` that says what it was.
///
/// A request given up by [`Window::overdue`] keeps its place until its answer does come: for the
/// peer it is still under way, and a peer that is only slow must not get twice its window.
#[derive(Debug)]
pub struct Window<T> {
    size: usize,
    under_way: HashMap<u32, (Instant, Option<T>)>,
    given_up: usize,
    last: u32,
}

/// What an answer turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Answered<T> {
    /// The answer to this.
    To(T),
    /// The answer to something given up before.
    Late,
    /// The answer to nothing that was asked.
    Unasked,
}

impl<T> Window<T> {
    /// A window of this many places.
    pub fn new(size: usize) -> Window<T> {
        Window { size, under_way: HashMap::with_capacity(size.min(4096)), given_up: 0, last: 0 }
    }

    /// How many more requests may be sent.
    pub fn free(&self) -> usize {
        self.size.saturating_sub(self.under_way.len())
    }

    /// How many requests still wait for an answer; those given up are left out.
    pub fn waiting(&self) -> usize {
        self.under_way.len() - self.given_up
    }

    /// How many places are held by requests that were given up.
    pub fn given_up(&self) -> usize {
        self.given_up
    }

    /// A sequence number for a request that nobody waits for: 1 to 0x7FFFFFFF, then from 1 again.
    pub fn sequence_number(&mut self) -> u32 {
        loop {
            self.last = if self.last >= SEQUENCE_MAX { 1 } else { self.last + 1 };
            if !self.under_way.contains_key(&self.last) {
                return self.last;
            }
        }
    }

    /// Takes a place for a request and gives its sequence number. The caller has seen
    /// [`Window::free`].
    pub fn open(&mut self, ticket: T, now: Instant) -> u32 {
        let sequence_number = self.sequence_number();
        self.under_way.insert(sequence_number, (now, Some(ticket)));
        sequence_number
    }

    /// The same under a number that somebody else gave. A ticket that was there is given back.
    pub fn open_as(&mut self, sequence_number: u32, ticket: T, now: Instant) -> Option<T> {
        match self.under_way.insert(sequence_number, (now, Some(ticket))) {
            Some((_, None)) => {
                self.given_up -= 1;
                None
            }
            before => before.and_then(|(_, ticket)| ticket),
        }
    }

    /// Frees the place of a request that was answered.
    pub fn answered(&mut self, sequence_number: u32) -> Answered<T> {
        match self.under_way.remove(&sequence_number) {
            Some((_, Some(ticket))) => Answered::To(ticket),
            Some((_, None)) => {
                self.given_up -= 1;
                Answered::Late
            }
            None => Answered::Unasked,
        }
    }

    /// Gives up what was sent `patience` ago or earlier, and says what that was.
    pub fn overdue(&mut self, patience: Duration, now: Instant) -> Vec<T> {
        let overdue = self.under_way.values_mut().filter(|(sent_at, _)| now >= *sent_at + patience);
        let tickets: Vec<T> = overdue.filter_map(|(_, ticket)| ticket.take()).collect();
        self.given_up += tickets.len();
        tickets
    }

    /// Forgets what came `age` ago or earlier, its place included; says how many that were.
    pub fn forget(&mut self, age: Duration, now: Instant) -> usize {
        let before = self.under_way.len();
        self.under_way.retain(|_, (sent_at, _)| now < *sent_at + age);
        self.given_up = self.under_way.values().filter(|(_, ticket)| ticket.is_none()).count();
        before - self.under_way.len()
    }

    /// Empties it at the end of a session: everything that still waited, in the order it was sent.
    pub fn drain(&mut self) -> Vec<T> {
        let mut rest: Vec<_> = self.under_way.drain().map(|(_, entry)| entry).collect();
        self.given_up = 0;
        rest.sort_by_key(|(sent_at, _)| *sent_at);
        rest.into_iter().filter_map(|(_, ticket)| ticket).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_is_answered_once() {
        let now = Instant::now();
        let mut window = Window::new(2);
        let (a, b) = (window.open("a", now), window.open("b", now));
        assert_eq!((window.free(), window.waiting()), (0, 2));
        assert_eq!(window.answered(b), Answered::To("b"));
        assert_eq!(window.answered(b), Answered::Unasked);
        assert_eq!(window.answered(a), Answered::To("a"));
        assert_eq!(window.free(), 2);
    }

    #[test]
    fn what_is_given_up_keeps_its_place_until_its_answer_comes() {
        let start = Instant::now();
        let minute = Duration::from_secs(60);
        let mut window = Window::new(2);
        let a = window.open("a", start);
        window.open("b", start + Duration::from_secs(1));
        assert_eq!(window.overdue(minute, start + minute), ["a"]);
        assert!(window.overdue(minute, start + minute).is_empty(), "given up once");
        assert_eq!((window.free(), window.waiting(), window.given_up()), (0, 1, 1));
        assert_eq!(window.answered(a), Answered::Late);
        assert_eq!((window.free(), window.given_up()), (1, 0));
        assert_eq!(window.drain(), ["b"]);
        assert_eq!(window.free(), 2);
    }

    #[test]
    fn numbers_start_again_and_step_over_what_is_under_way() {
        let now = Instant::now();
        let mut window = Window::new(3);
        assert_eq!(window.open("first", now), 1);
        window.last = SEQUENCE_MAX - 1;
        assert_eq!(window.open("last", now), SEQUENCE_MAX);
        assert_eq!(window.open("next", now), 2, "1 is still under way");
    }

    #[test]
    fn what_is_forgotten_gives_its_place_back() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut window = Window::new(2);
        window.open_as(70, (), start);
        assert_eq!(window.open_as(70, (), start + second), Some(()), "the same number again");
        window.open_as(71, (), start);
        assert_eq!(window.forget(second, start + second), 1);
        assert_eq!(window.free(), 1);
    }
}
