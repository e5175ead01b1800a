//! How fast a carrier may be given messages: the configured rate, and less for a while after it
//! said "too fast". A value without a clock: every question comes with `now`.

use std::time::{Duration, Instant};

/// How long the halved rate holds before it may grow again.
const HOLD: Duration = Duration::from_millis(500);
/// How much the rate grows in a second.
const GROWTH_PER_SECOND: f64 = 1.05;
/// However often it is halved, one message a second is tried.
const RATE_MIN: f64 = 1.0;
/// Where no rate is configured: how far above the rate that was too fast counts as free again.
const FREE_AGAIN: f64 = 4.0;

/// The rate over all sessions of a carrier.
///
/// Messages leave by a token bucket that holds a fiftieth of a second, so that in no second more
/// leave than the configured rate. "Throttled" halves the rate at once, and once only for all the
/// answers to what was under way; then it returns to nine tenths of what the carrier last took in
/// a second, and from there grows by 5 % a second. Without that middle step it would crawl up from
/// half for a quarter of a minute each time.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    limit: f64,
    rate: f64,
    tokens: f64,
    filled_at: Instant,
    cut: Option<Cut>,
    second_began_at: Instant,
    taken_now: u32,
    taken_before: u32,
}

/// The last time the carrier said "too fast".
#[derive(Clone, Copy, Debug)]
struct Cut {
    at: Instant,
    rate_before: f64,
    rate_known: f64,
}

impl Pace {
    /// At most this many a second; 0 is without a limit.
    pub fn new(per_second: u32, now: Instant) -> Pace {
        let limit = if per_second == 0 { f64::INFINITY } else { f64::from(per_second) };
        Pace {
            limit,
            rate: limit,
            tokens: capacity(limit),
            filled_at: now,
            cut: None,
            second_began_at: now,
            taken_now: 0,
            taken_before: 0,
        }
    }

    /// How many of `most` may leave now.
    pub fn take(&mut self, most: usize, now: Instant) -> usize {
        self.fill(now);
        if self.rate.is_infinite() {
            return most;
        }
        // Tokens are few and not negative, so nothing is lost here.
        let count = (self.tokens as usize).min(most);
        self.tokens -= count as f64;
        count
    }

    /// Gives back what was taken and not used.
    pub fn give_back(&mut self, count: usize) {
        if self.rate.is_finite() {
            self.tokens += count as f64;
        }
    }

    /// When the next one may leave.
    pub fn next(&self) -> Instant {
        let missing = (1.0 - self.tokens).max(0.0);
        self.filled_at + Duration::from_secs_f64((missing / self.rate.max(RATE_MIN)).min(1.0))
    }

    /// The carrier took this many.
    pub fn taken(&mut self, count: u32, now: Instant) {
        if now >= self.second_began_at + Duration::from_secs(1) {
            let only_just = now < self.second_began_at + Duration::from_secs(2);
            self.taken_before = if only_just { self.taken_now } else { 0 };
            self.taken_now = 0;
            self.second_began_at = now;
        }
        self.taken_now += count;
    }

    /// The carrier said "too fast", or that its queue is full.
    pub fn throttled(&mut self, now: Instant) {
        if self.cut.is_some_and(|cut| now < cut.at + HOLD) {
            return;
        }
        self.fill(now);
        self.taken(0, now);
        let rate_known = f64::from(self.taken_now.max(self.taken_before));
        let rate_before = if self.rate.is_finite() { self.rate } else { rate_known.max(RATE_MIN) };
        self.rate = (rate_before / 2.0).max(RATE_MIN);
        self.tokens = 0.0;
        self.cut = Some(Cut { at: now, rate_before, rate_known });
    }

    /// The rate that holds now; infinite where there is none.
    #[cfg(test)]
    fn rate(&mut self, now: Instant) -> f64 {
        self.fill(now);
        self.rate
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.filled_at = self.filled_at.max(now);
        if let Some(cut) = self.cut.filter(|cut| now >= cut.at + HOLD) {
            self.rate = self.rate.max(cut.rate_known * 0.9) * GROWTH_PER_SECOND.powf(passed);
            let free_at = if self.limit.is_finite() { self.limit } else { cut.rate_before * FREE_AGAIN };
            if self.rate >= free_at {
                self.rate = self.limit;
                self.cut = None;
            }
        }
        if self.rate.is_finite() {
            let capacity = capacity(self.rate);
            let per_second = self.rate - (capacity - 1.0);
            self.tokens = (self.tokens + passed * per_second).min(capacity);
        }
    }
}

/// What may leave in one go.
fn capacity(rate: f64) -> f64 {
    if rate.is_finite() { (rate / 50.0).max(1.0) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[test]
    fn no_second_sees_more_than_the_rate() {
        for rate in [1, 7, 30, 100, 1000, 20_000] {
            let start = Instant::now();
            let mut pace = Pace::new(rate, start);
            let left: Vec<usize> = (0..3000).map(|ms| pace.take(usize::MAX, after(start, ms))).collect();
            let most = left.windows(1000).map(|second| second.iter().sum::<usize>()).max();
            assert!(most.is_some_and(|most| most <= rate as usize), "{most:?} of {rate}");
            let all: usize = left.iter().sum();
            assert!(all as f64 >= f64::from(rate) * 3.0 * 0.95 - 1.0, "{all} of {rate} in 3 s");
        }
    }

    #[test]
    fn without_a_rate_all_may_leave() {
        let now = Instant::now();
        assert_eq!(Pace::new(0, now).take(100_000, now), 100_000);
    }

    #[test]
    fn too_fast_halves_once_and_recovers() {
        let start = Instant::now();
        let mut pace = Pace::new(1000, start);
        for _ in 0..64 {
            pace.throttled(after(start, 10));
        }
        assert_eq!(pace.rate(after(start, 10)), 500.0, "one burst of answers, one cut");
        assert_eq!(pace.rate(after(start, 400)), 500.0, "it holds");
        let later = pace.rate(after(start, 1510));
        assert!((525.0..560.0).contains(&later), "{later}");
        assert_eq!(pace.rate(after(start, 60_000)), 1000.0);
    }

    #[test]
    fn throttled_again_and_again_one_a_second_is_still_tried() {
        let start = Instant::now();
        let mut pace = Pace::new(0, start);
        pace.taken(50, start);
        for n in 0..100 {
            pace.throttled(after(start, n * 500));
        }
        assert_eq!(pace.rate(after(start, 50_000)).floor(), 1.0);
        assert_eq!(pace.rate(after(start, 600_000)), f64::INFINITY, "in the end it is forgotten");
    }

    /// A carrier that takes 200 a second and throttles the rest, for a minute.
    #[test]
    fn the_rate_settles_near_what_the_carrier_takes() {
        let start = Instant::now();
        let mut pace = Pace::new(0, start);
        let mut taken_in_second = Vec::new();
        for second in 0..60_u64 {
            let mut taken = 0;
            for ms in 0..1000 {
                let now = after(start, second * 1000 + ms);
                for _ in 0..pace.take(5, now) {
                    if taken < 200 {
                        taken += 1;
                        pace.taken(1, now);
                    } else {
                        pace.throttled(now);
                    }
                }
            }
            taken_in_second.push(taken);
        }
        let settled = &taken_in_second[30..];
        let mean = settled.iter().sum::<u32>() as f64 / settled.len() as f64;
        assert!(mean >= 160.0, "{mean} of 200: {settled:?}");
    }
}
